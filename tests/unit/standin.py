"""A stand-in for training: the process of a run that needs no Keras and takes tenths of a second.

Run as `python standin.py FOLDER`, it goes through the same `execute` as the real command.  Its
"weights" are one number that each step changes, kept in a checkpoint after every step.  The run's
note chooses what it does: "slow", "fails", "raises", "full", "deaf" (never asks whether to stop).
"""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from captioning.errors import TrainingError
from captioning.runs import Execution, Run, control, execute

STEPS = 10


def work(run: Run, execution: Execution) -> bool:
    assert "tensorflow" not in sys.modules
    if "fails" in run.note:
        raise TrainingError("The loss became nan in epoch 1, step 3.")
    if "full" in run.note:
        raise OSError(28, "No space left on device")
    if "raises" in run.note:
        raise ZeroDivisionError
    seconds = 0.1 if "slow" in run.note else 0.002
    kept = run.folder / "checkpoints"
    kept.mkdir(exist_ok=True)
    number, step, total = _load(kept)
    epochs = run.config.epochs
    event = "resume" if step else "start"
    execution.emit(_event(event, step, words=50, photos=20))
    while step < epochs * STEPS:
        number = (number * 1103515245 + 12345) % 2**31
        total += number / 2**31
        step += 1
        time.sleep(seconds)
        execution.emit(_event("step", step, loss=number / 2**31, rate=1 / seconds, epochs=epochs))
        _save(kept, number, step, total)
        if "deaf" not in run.note and execution.should_stop():
            return False
        if step % STEPS == 0:
            figures = {"loss": total / step, "dev_loss": total, "cider": step, "bleu_4": step}
            execution.emit({**_event("epoch", step), **figures, "n": 5, "seconds": step * seconds})
    return True


def _event(kind: str, step: int, **content: float | None) -> dict:
    epoch, within = divmod(max(step - 1, 0), STEPS)
    place = {"epoch": epoch + 1, "step": within + 1 if step else 0, "steps": STEPS}
    return {"event": kind, **place, "seconds_left": 1.0, "learning_rate": 0.1, **content}


def _save(folder: Path, *state: float) -> None:
    part = folder / "part"
    part.write_text(json.dumps(state))
    os.replace(part, folder / "epoch0000-step000000.safetensors")


def _load(folder: Path) -> tuple[int, int, float]:
    try:
        number, step, total = json.loads((folder / "epoch0000-step000000.safetensors").read_text())
    except FileNotFoundError:
        return 1, 0, 0.0
    return number, step, total


if __name__ == "__main__":
    control.COMMAND = [sys.executable, __file__]  # it starts the next run as it ends
    sys.exit(execute(Path(sys.argv[1]), work))
