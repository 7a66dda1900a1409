"""What Windows lacks is not needed: the command line, data sets and training run without it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]

# filelock and psutil have a second way of their own on Windows, so they are imported first.
WITHOUT_POSIX = """
import filelock, os, psutil, signal, subprocess, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "nice", "pwrite", "pread", "sched_getaffinity", "sched_setaffinity",
             "posix_fallocate", "sysconf", "getuid", "geteuid", "killpg", "setsid"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "setitimer"):
    delattr(signal, name)
popen = subprocess.Popen.__init__
def start(self, *args, **options):
    refused = {"pass_fds", "preexec_fn"} & set(options)
    assert not refused, f"Windows has no {refused}"
    popen(self, *args, **options)
subprocess.Popen.__init__ = start
"""


def run_without_posix(program: str, data: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, "CAPTIONING_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("command", [["--help"], ["models"], ["data", "list"]])
def test_commands_run(tmp_path: Path, command: list[str]) -> None:
    program = f"from captioning.__main__ import main\nsys.exit(main({command}))"
    assert run_without_posix(program, tmp_path)


@pytest.mark.slow
def test_every_module_that_needs_no_keras_can_be_imported(tmp_path: Path) -> None:
    program = """
        import importlib, pkgutil
        class NoKeras:
            def find_spec(self, name, path=None, target=None):
                # Ray on POSIX asks for pwd; on Windows it does not.
                if name.split(".")[0] in ("keras", "tensorflow", "ray"):
                    raise ImportError("no Keras here", name=name)
        sys.meta_path.insert(0, NoKeras())
        import captioning
        for module in pkgutil.walk_packages(captioning.__path__, "captioning."):
            if module.name == "captioning.__main__":
                continue
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                assert error.msg == "no Keras here", (module.name, error)
    """
    run_without_posix(program, tmp_path)


def test_a_run_starts_a_process_that_takes_the_slot(tmp_path: Path) -> None:
    program = """
        import time
        from pathlib import Path
        from captioning.config import TrainingConfig
        from captioning.runs import Runs, control
        control.COMMAND = [sys.executable, str(Path("tests/unit/standin.py"))]
        runs = Runs()
        run = runs.start(runs.create(TrainingConfig(name="try", data="shapes", epochs=1)).id)
        while run.status.state in ("starting", "running"):
            time.sleep(0.05)
            runs.reconcile()
            run = runs.get(run.id)
        print(run.status.state)
    """
    assert run_without_posix(program, tmp_path).strip() == "finished"


@pytest.mark.slow
def test_a_small_training_runs(tmp_path: Path) -> None:
    config = {
        "name": "tiny",
        "data": "shapes",
        "encoder": {"name": "compact", "input_size": 32, "width": 4},
        "decoder": {"embedding_size": 8, "units": 8},
        "train_encoder": True,
        "epochs": 1,
        "shapes_count": 20,
        "score_images": 2,
    }
    program = f"""
        import json
        from pathlib import Path
        from captioning.__main__ import main
        folder = Path(os.environ["CAPTIONING_DATA"])
        (folder / "tiny.json").write_text(json.dumps({config}), encoding="utf-8")
        sys.exit(main(["train", "--config", str(folder / "tiny.json")]))
    """
    assert "dev BLEU-4" in run_without_posix(program, tmp_path)
