"""A stand-in for the process of a trial: its score follows from the learning rate, without Keras.

The best learning rate is 0.001; every epoch adds a little.  The name of the configuration chooses
what else happens: "slow", "fails", "hurries" (dies in its first epoch, always).
"""

import math
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from captioning.errors import TrainingError
from captioning.runs import Execution, Run, control, execute, read_curves
from captioning.tuning import go_on, reason_to_give_up

STEPS = 5


def score(learning_rate: float, epoch: int) -> float:
    return 100 - 20 * abs(math.log10(learning_rate) + 3) - 10 / epoch


def work(run: Run, execution: Execution) -> bool:
    assert "tensorflow" not in sys.modules
    config = run.config
    if "fails" in config.name:
        raise TrainingError("The loss became nan in epoch 1, step 3.")
    begun = len(read_curves(run).epochs)
    for epoch in range(begun + 1, config.epochs + 1):
        place = {"epoch": epoch, "epochs": config.epochs, "steps": STEPS}
        for step in range(1, STEPS + 1):
            figures = {"loss": 1.0, "learning_rate": config.learning_rate, "rate": 1.0}
            execution.emit({"event": "step", "step": step, **place, **figures})
            if "slow" in config.name:
                time.sleep(0.05)
            if "hurries" in config.name:
                os.kill(os.getpid(), signal.SIGKILL)
            if execution.should_stop():
                return False
        cider = score(config.learning_rate, epoch)
        figures = {"loss": 1.0, "dev_loss": 1.0, "cider": cider, "bleu_4": cider / 2, "n": 5}
        execution.emit({"event": "epoch", "step": 0, **place, **figures, "seconds": float(epoch)})
        if reason := reason_to_give_up(run):
            execution.give_up(reason)
    return True


if __name__ == "__main__":
    control.COMMAND = [sys.executable, __file__]  # it starts the next trial as it ends
    status = execute(Path(sys.argv[1]), work)
    go_on(Path(sys.argv[1]))
    sys.exit(status)
