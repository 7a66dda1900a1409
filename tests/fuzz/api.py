"""Hold the API to its OpenAPI document with schemathesis.

    python tests/fuzz/api.py --examples 500

Sends requests that follow the document and requests that do not, and checks status, headers and
content of the answers.  Prints what it finds and ends with status 1 if that is anything.
"""

import argparse
import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.engine import events, from_schema

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from captioning.api import create_app


def findings(examples):
    """Run all phases, with up to `examples` requests per operation and kind.

    Returns:
        What failed, in words, and the number of requests.
    """
    schemathesis.openapi.format("binary", st.sampled_from(_photos()))
    schemathesis.openapi.format("known-words", st.sampled_from(["red", "a circle"]))
    schemathesis.openapi.format("words", st.sampled_from(["left, Right", "zebra"]))
    schemathesis.openapi.format("model", st.just("shapes"))
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
            },
        }
    )
    app = create_app(model="shapes")
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    failures, requests = [], 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            failures.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.cases)
            failures += _failures(event.recorder)
    return failures, requests


def _failures(recorder):
    for name, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                yield (
                    f"{recorder.label}, {check.name}: {check.failure_info.failure}\n"
                    f"  {check.failure_info.code_sample}\n"
                    f"  {recorder.interactions[name].response.content[:300]!r}"
                )


def _photos():
    """Return small pictures in several formats."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    photos = []
    for kind in ("JPEG", "PNG", "WEBP"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind)
        photos.append(stream.getvalue())
    return photos


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100, help="default: 100")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["CAPTIONING_DATA"] = home
        failures, requests = findings(options.examples)
    print("\n".join(failures))
    print(f"{requests} requests, {len(failures)} failures")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
