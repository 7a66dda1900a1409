"""Measure how much faster the API captions requests together than one by one.

    python benchmarks/api.py [--clients 16] [--photos 96] [--rounds 5] [--model NAME] [--json]

Two real servers run, one with `--batch-size 1`.  The clients send their photos alternately to one
and to the other; each client sends its next photo as soon as it has the caption of the last.  The
photos are synthetic: JPEGs of 500 x 375 pixels.
"""

import argparse
import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.material import PHOTO_SIZES, jpeg  # noqa: E402
from benchmarks.measuring import Comparison, Work, measure  # noqa: E402
from benchmarks.serving import free_port, own_data, running  # noqa: E402

BATCH = 16
COMPARISON = Comparison(
    key="api_one_by_one_over_together",
    title="A photo's time on a server that captions one by one, over one that captions together",
    over="one_by_one",
    under="together",
    unit="photo",
    at_least=1.5,
)


def main() -> None:
    """Measure, and print the ratio and its times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--photos", type=int, default=96, help="in a round, of all clients")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", help="a bundle's name; by default that of the server")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    photo = jpeg(PHOTO_SIZES[0])
    with own_data(), ExitStack() as servers:
        alone, together = (servers.enter_context(serve(size, options.model)) for size in (1, BATCH))
        ask = partial(send, photo=photo, photos=options.photos)
        works = {
            "one_client": Work("one client", partial(ask, together, clients=1), options.photos),
            "one_by_one": Work(
                f"{options.clients} clients, --batch-size 1",
                partial(ask, alone, clients=options.clients),
                options.photos,
            ),
            "together": Work(
                f"{options.clients} clients, --batch-size {BATCH}",
                partial(ask, together, clients=options.clients),
                options.photos,
            ),
        }
        result = measure(COMPARISON, works, rounds=options.rounds)
    content = result.to_dict()
    print(f"{COMPARISON.title}: {result.ratio:.2f} ({COMPARISON.bound})")
    for work in content["seconds"].values():
        print(f"  {1 / work['median']:6.1f} photos a second: {work['label']}")
    print(f"Medians of {options.rounds} rounds; load {os.getloadavg()[0]:.1f}")
    if options.json:
        print(json.dumps({COMPARISON.key: round(result.ratio, 3), **content}))


@contextmanager
def serve(batch_size: int, model: str | None) -> Iterator[int]:
    """Start a server, and yield its port once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "captioning", "serve", "--port", str(port)]
    command += ["--batch-size", str(batch_size), *(["--model", model] if model else [])]
    ask = partial(socket.create_connection, ("127.0.0.1", port), timeout=1)
    with running(command, lambda: ask().close()):
        yield port


def send(port: int, *, photo: bytes, photos: int, clients: int) -> None:
    """Send the photo `photos` times in total, from `clients` connections at once."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    body = head + photo + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        for _ in range(number, photos, clients):
            connection.request("POST", "/v1/caption", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{answer.status}: {content.decode()}")
        connection.close()

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))


if __name__ == "__main__":
    main()
