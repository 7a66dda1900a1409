"""Kill training runs, the server that watches them, and both, at random moments.

    python tests/chaos/kill_runs.py --kills 20

Three equal runs with real (tiny) models share a queue.  After every kill all runs are still there,
never more than one trains, the dead one is seen as dead within 5 seconds, and it is resumed.  In
the end each run's losses equal those of a run that nobody disturbed.  `make chaos-test` runs it.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from captioning.config import TrainingConfig  # noqa: E402 - the folder has to be known first
from captioning.runs import Run, Runs, read_curves  # noqa: E402
from captioning.storage import read_json_lines  # noqa: E402

CONFIG = TrainingConfig.from_dict(
    {
        "name": "chaos",
        "data": "shapes",
        "encoder": {"name": "compact", "input_size": 32, "width": 4},
        "decoder": {"embedding_size": 16, "units": 16, "heads": 2, "dropout": 0.2},
        "train_encoder": True,
        "epochs": 40,
        "images_per_batch": 8,
        "shapes_count": 200,
        "score_images": 20,
        "ema_momentum": 0.9,
    }
)
SERVER = (
    "import sys, time\nfrom pathlib import Path\nfrom captioning.runs import Runs\n"
    "print('up', flush=True)\n"
    "while True:\n    Runs(Path(sys.argv[1])).reconcile()\n    time.sleep(0.5)\n"
)
SERVERS: list[subprocess.Popen[bytes]] = []
SEEN_DEAD_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it cleans up
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder))
        try:
            return chaos(runs, arguments.kills, random.Random(arguments.seed))
        finally:
            for server in SERVERS:
                server.kill()
                server.wait()
            kill_run(runs)


def chaos(runs: Runs, kills: int, draw: random.Random) -> int:
    expected = losses(finish(runs, runs.create(CONFIG)))
    print(f"undisturbed: {len(expected)} epochs, last loss {expected[-1]:.6f}", flush=True)
    names = {runs.start(runs.create(CONFIG).id).id for _ in range(3)}
    server = serve(runs)
    slowest = 0.0
    for number in range(1, kills + 1):
        wait_for_a_moment(runs, draw)
        victim = draw.choice(("run", "run", "server", "both", "both"))
        if victim != "run":
            server.kill()
            server.wait()
        killed = kill_run(runs) if victim != "server" else None
        if killed is not None and victim == "both":
            time.sleep(draw.uniform(0.0, 1.0))
        if victim != "run":
            server = serve(runs)
        slowest = max(slowest, until_seen_dead(runs, killed))
        check(runs, names)
        for run in runs.all():
            if run.status.state == "died":
                runs.start(run.id)
        if not any(run.status.state != "finished" for run in map(runs.get, names)):
            names.add(runs.start(runs.create(CONFIG).id).id)
        where = f"{killed.id}, {killed.status.activity}" if killed else "no run"
        print(f"kill {number} of {kills}: {victim} ({where})", flush=True)
    while any(run.status.state != "finished" for run in map(runs.get, names)):
        check(runs, names)
        for run in map(runs.get, names):
            assert run.status.state != "failed", run.status.message
            if run.status.state == "died":
                runs.start(run.id)
        time.sleep(0.5)
    worst = 0.0
    for name in sorted(names):
        found = losses(runs.get(name))
        assert len(found) == len(expected), (name, len(found))
        worst = max(worst, *(abs(a - b) for a, b in zip(found, expected, strict=True)))
        resumed = len(read_curves(runs.get(name)).resumed)
        print(f"{name}: {resumed} times resumed, last loss {found[-1]:.6f}", flush=True)
    print(
        f"{kills} kills, {len(names)} runs: none lost, never two at once, dead ones seen within "
        f"{slowest:.1f} s, largest difference of any epoch's loss or score {worst:.2e}"
    )
    assert worst <= 1e-6
    return 0


def wait_for_a_moment(runs: Runs, draw: random.Random) -> None:
    """Wait into a run's start, or (three times as often) into its training, scoring or saving."""
    if draw.random() < 1 / 4:
        time.sleep(draw.uniform(0.0, 10.0))
        return
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(map(has_trained, runs.all())):
        time.sleep(0.1)
    time.sleep(draw.uniform(0.0, 4.0))


def has_trained(run: Run) -> bool:
    """Tell whether the present process of a run has finished an epoch."""
    events = read_json_lines(run.folder / "events.jsonl")
    epochs = (event["time"] for event in events if event["event"] == "epoch")
    return run.status.state == "running" and any(told > run.status.begun for told in epochs)


def finish(runs: Runs, run: Run) -> Run:
    runs.start(run.id)
    while runs.get(run.id).status.state != "finished":
        runs.reconcile()
        assert runs.get(run.id).status.state not in ("failed", "died"), run.log()
        time.sleep(0.5)
    return runs.get(run.id)


def losses(run: Run) -> list[float]:
    rows = read_curves(run).epochs
    return [row[key] for row in rows for key in ("loss", "dev_loss", "cider")]


def serve(runs: Runs) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SERVER, str(runs.data)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    SERVERS.append(server)
    assert server.stdout is not None
    server.stdout.readline()  # its start is not part of how soon it sees a dead run
    return server


def processes(runs: Runs) -> dict[int, str]:
    """Find the processes that train, by their command lines: from outside, not by our own books."""
    found = {}
    listed = subprocess.run(["ps", "-axo", "pid=,stat=,command="], capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        pid, state, command = line.split(None, 2)
        if f"train --run {runs.folder}" in command and not state.startswith("Z"):
            found[int(pid)] = command.rsplit("/", 1)[1]
    return found


def kill_run(runs: Runs) -> Run | None:
    for pid, name in processes(runs).items():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        return runs.get(name)
    return None


def until_seen_dead(runs: Runs, killed: Run | None) -> float:
    begun = time.monotonic()
    while killed is not None and runs.get(killed.id).live:
        assert time.monotonic() - begun < SEEN_DEAD_SECONDS, "not seen as dead"
        time.sleep(0.05)
    return time.monotonic() - begun


def check(runs: Runs, names: set[str]) -> None:
    assert names <= {run.id for run in runs.all()}, "a run is lost"
    found = processes(runs)
    if len(found) > 1:  # one that has handed over takes a moment to be gone
        time.sleep(1.0)
        found = {pid: name for pid, name in processes(runs).items() if pid in found}
    assert len(found) <= 1, f"two at once: {found}"


if __name__ == "__main__":
    sys.exit(main())
