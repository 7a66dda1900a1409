"""Kill a process at every moment of saving, and let the disk be full in the middle of it.

    python tests/chaos/kill_saving.py

Everything that the program writes is written next to its place, flushed and moved there.  For each
kind of saving and each of these moments, a process saves and kills itself at that moment.  Then
what was saved before has to be intact, and what was being saved is there whole or not at all.  The
same with a disk that is full in the middle of a file, where the process has to get an error with a
sentence.  `make chaos-test` runs it.
"""

import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from captioning import storage  # noqa: E402 - the folder has to be known first
from captioning.bundle import (  # noqa: E402
    find_bundles,
    keep_calibration,
    read_bundle,
    rename_bundle,
    restore_models,
    unpublish_bundle,
    write_bundle,
)
from captioning.config import TrainingConfig  # noqa: E402
from captioning.datasets.catalog import remember, remembered_folders  # noqa: E402
from captioning.play import Rounds  # noqa: E402
from captioning.runs import Runs  # noqa: E402

CONFIG = TrainingConfig(name="first", data="shapes")
SHIPPED = storage.shipped_models() / "shapes"
ENTRIES = [("person", "a person", "a red circle"), ("model", "shapes", "a blue square")]
FULL_AT = (0, 1, 100, 1_000, 10_000, 100_000)


def first_run(home: Path) -> str:
    return next(run.id for run in Runs(home).all() if run.note == "the first")


def save_bundle(home: Path) -> None:
    """Replace the bundle of the run, as after its best epoch."""
    bundle = read_bundle(SHIPPED)
    write_bundle(
        Runs(home).folder / first_run(home) / "bundle",
        encoder=bundle.encoder,
        decoder=bundle.decoder,
        feature_shape=bundle.feature_shape,
        decoding=bundle.decoding,
        vocabulary=bundle.vocabulary,
        decoder_arrays=bundle.decoder_arrays(),
        encoder_arrays=bundle.encoder_arrays(),
        card="the second",
    )


def save_status(home: Path) -> None:
    run = Runs(home).get(first_run(home))
    run.write_status(run.status.replace(state="stopped", epoch=2), durable=True)


def calibrate(home: Path) -> None:
    found = read_bundle(SHIPPED).calibration()
    assert found is not None
    keep_calibration(read_bundle("kept"), found)


SAVING: dict[str, Callable[[Path], object]] = {
    "create a run": lambda home: Runs(home).create(CONFIG),
    "write a status": save_status,
    "write a note": lambda home: Runs(home).note(first_run(home), "the first"),
    "write a bundle": save_bundle,
    "publish": lambda home: Runs(home).publish(first_run(home), "other", by="Ada"),
    "publish again": lambda home: Runs(home).publish(
        first_run(home), "kept", by="Grace", replace=True
    ),
    "rename": lambda home: rename_bundle("kept", "renamed"),
    "unpublish": lambda home: unpublish_bundle("kept"),
    "calibrate": calibrate,
    "open a round": lambda home: Rounds(home).create(b"photo", ENTRIES),
    "remember a folder": lambda home: remember(ROOT),
}


def prepare(home: Path) -> None:
    """Save a run with a bundle, a published model, a round and a list of folders."""
    runs = Runs(home)
    run = runs.create(CONFIG, note="the first")
    storage.append_json_line(run.folder / "events.jsonl", {"event": "start"})
    shutil.copytree(SHIPPED, run.bundle_folder)
    runs.publish(run.id, "kept", by="Ada")
    Rounds(home).create(b"photo", ENTRIES)
    remember(home)


def check(home: Path, saving: str) -> None:
    """Look at everything as a server does that starts again."""
    restore_models()
    runs = Runs(home)
    for run in runs.all():
        storage.restore_replaced(run.bundle_folder)
    runs.reconcile()
    assert runs.damaged() == {}
    (run,) = (run for run in runs.all() if run.note == "the first")
    assert run.status.state in ("ready", "stopped"), run.status
    assert len(storage.read_json_lines(run.folder / "events.jsonl")) == 1
    assert read_bundle(run.bundle_folder).decoder_arrays()
    published = {b.name: b for b in find_bundles() if b.published is not None}
    for bundle in published.values():
        assert bundle.decoder_arrays() and bundle.calibration()
    if saving == "rename":
        assert len(published.keys() & {"kept", "renamed"}) == 1
    elif saving != "unpublish":
        assert "kept" in published
    assert "other" not in published or saving == "publish"
    rounds = [Rounds(home).get(path.name) for path in (home / "play").glob("[!.]*")]
    assert rounds and all(len(one.state().entries) == 2 and one.photo for one in rounds)
    assert home in remembered_folders()


def in_process(work: Callable[[], object]) -> int:
    """Do work in a process of its own; return its exit status, or minus the signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except Exception as error:
            os._exit(1 if str(error) else 2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(moment: int) -> None:
    """Kill this process at the so-many-th moment: before or after a flush, or a move."""
    moments = count(1)

    def counted(name: str) -> None:
        step = getattr(storage, name)

        def step_or_die(*arguments: Path) -> None:
            if next(moments) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            step(*arguments)
            if next(moments) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(storage, name, step_or_die)

    counted("_move")
    counted("flush_to_disk")


def full_after(size: int) -> None:
    """Let no file of this process grow beyond a size."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def main() -> int:
    kills = errors = 0
    for saving, save in SAVING.items():
        for moment in (*(-size for size in FULL_AT), *range(1, 1000)):
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                os.environ["CAPTIONING_DATA"] = folder
                prepare(home)

                def work(moment: int = moment, home: Path = home) -> None:
                    full_after(-moment) if moment <= 0 else kill_at(moment)
                    save(home)  # noqa: B023

                ended = in_process(work)
                check(home, saving)
            kills += ended == -signal.SIGKILL
            errors += ended == 1
            assert ended in ((0, 1) if moment <= 0 else (0, -signal.SIGKILL)), (saving, ended)
            if moment > 0 and ended == 0:
                break
        print(f"{saving}: {moment - 1} moments", flush=True)
    print(f"{kills} kills and {errors} full disks while saving: nothing lost, nothing by half")
    return 0


if __name__ == "__main__":
    sys.exit(main())
