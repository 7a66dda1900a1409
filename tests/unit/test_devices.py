"""Training on two devices, forced onto the CPU, gives the losses of training on one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from captioning.__main__ import main

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json
import keras
from captioning.backend import use_devices
from captioning.errors import TrainingError
from test_backends import train

one = train("attention")[2]
try:
    use_devices(3)
except TrainingError as error:
    refused = str(error)
count = use_devices()
weights = keras.Variable(keras.ops.ones((4, 2)))
layout = keras.distribution.distribution().get_data_layout
shares = [str(layout(shape).backend_layout.spec) for shape in ((4, 2), (5, 2))]
two = train("attention")[2]
print(json.dumps({
    "one": one, "two": two, "count": count, "refused": refused, "shares": shares,
    "devices": len(weights.value.devices()),
}))
"""


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_two_devices_learn_what_one_does():
    """Sums are taken in another order, so losses may differ by 1e-5."""
    pytest.importorskip("jax", reason="needs JAX: pip install jax")
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["count"] == found["devices"] == 2
    assert found["refused"] == "JAX finds 2 devices, fewer than 3."
    assert "batch" in found["shares"][0] and "batch" not in found["shares"][1]
    np.testing.assert_allclose(found["two"], found["one"], atol=1e-5)


@pytest.mark.parametrize("asked, message", [("2", "KERAS_BACKEND=jax"), ("none", "or all")])
def test_devices_that_cannot_be_used_are_explained(asked, message, shapes, tmp_path, capsys):
    out = tmp_path / "model"
    arguments = ["train", "--data", str(shapes.root), "--out", str(out), "--devices", asked]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
