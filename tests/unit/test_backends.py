"""The same model code on another of Keras' backends: equal losses, equal sentences.

Run by itself, this file trains and searches on whatever backend `KERAS_BACKEND` names and prints
what came out; the test compares that with what comes out here.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("merge", "inject", "attention")
R, D, LENGTH, V = 4, 6, 6, 16


def train(kind):
    """Train three steps with EMA from given weights; nothing is random but the data.

    Dropout is off: every backend draws its own numbers.

    Returns:
        The decoder, the features, and the losses.
    """
    from captioning.config import DecoderConfig, TrainingConfig
    from captioning.decoders import build_decoder
    from captioning.training.batches import make_batch
    from captioning.training.model import TeacherForcing, averaged_weights, compile_for_training
    from captioning.vocabulary import BOS, EOS, PAD

    random = np.random.default_rng(0)
    config = TrainingConfig(
        decoder=DecoderConfig(
            kind=kind, embedding_size=8, units=16, heads=2, dropout=0.0, max_length=LENGTH
        ),
        learning_rate=0.02,
        warmup_steps=1,
        label_smoothing=0.1,
        ema_momentum=0.5,
    )
    decoder = build_decoder(config.decoder, vocabulary_size=V, feature_shape=(R, D))
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.4, variable.shape))
    features = random.normal(size=(4, R, D)).astype(np.float32)
    rows = np.full((4, 3, LENGTH + 1), PAD, np.int32)
    rows[..., 0] = BOS
    for row in rows.reshape(-1, LENGTH + 1)[:-1]:  # the last one stays padding
        words = int(random.integers(1, LENGTH))
        row[1 : 1 + words] = random.integers(4, V, words)
        row[1 + words] = EOS
    model = TeacherForcing(decoder, None, label_smoothing=config.label_smoothing)
    compile_for_training(model, config, steps=10)
    batch = make_batch(features, rows)
    losses = [float(model.learn(batch)) for _ in range(3)]
    with averaged_weights(model):
        losses.append(model.loss_of(batch))
    return decoder, features, losses


def train_and_search(kind):
    """Train, then search."""
    from captioning.backend import to_numpy
    from captioning.config import DecodingConfig
    from captioning.decoding import CaptionSearch
    from captioning.inference.keras_decoder import KerasDecoder
    from captioning.vocabulary import EOS

    decoder, features, losses = train(kind)
    model, found = KerasDecoder(decoder), {}
    search, draws = CaptionSearch(model), np.random.default_rng(2).random((LENGTH, 4, 3))
    found["drawn"] = model.sample(features, draws).tolist()
    for name, decoding in {
        "beam": DecodingConfig(beam_width=3),
        "sample": DecodingConfig(strategy="sample", samples=3, seed=1, top_k=9, top_p=0.9),
    }.items():
        hypotheses = [h for of_photo in search.search(features, decoding) for h in of_photo]
        found[name] = [[list(map(int, h.ids)), h.log_prob] for h in hypotheses]
    variable = decoder.vocabulary.bias  # the search must see new weights
    variable.assign(to_numpy(variable) + np.where(np.arange(V) == EOS, 20.0, 0.0))
    changed = search.search(features, DecodingConfig(beam_width=3))
    return {"losses": losses, **found, "changed": [list(map(int, h[0].ids)) for h in changed]}


def make_trainer(**options):
    """A trainer on four photos, with settings and arguments changed by `options`."""
    import keras

    from captioning.config import DecoderConfig, DecodingConfig, TrainingConfig
    from captioning.decoders import build_decoder
    from captioning.training import Trainer
    from captioning.training.batches import SplitData
    from captioning.vocabulary import SPECIAL, Vocabulary

    vocabulary = Vocabulary([*SPECIAL, *"a red blue dog cat runs sits".split()])
    features = np.random.default_rng(0).normal(size=(4, R, D)).astype(np.float32)
    captions = [["a red dog runs", "a dog"], ["a blue cat sits"]] * 2
    split = SplitData(lambda indices: features[indices], captions)
    config = TrainingConfig(
        decoder=DecoderConfig(kind="inject", embedding_size=8, units=16, max_length=LENGTH),
        decoding=DecodingConfig(beam_width=1),
        epochs=1,
        ema_momentum=0.9,
        **{"images_per_batch": 2, **options.pop("settings", {})},
    )
    keras.utils.set_random_seed(0)
    decoder = build_decoder(config.decoder, vocabulary_size=len(vocabulary), feature_shape=(R, D))
    random = np.random.default_rng(1)
    for variable in decoder.trainable_variables:
        variable.assign(random.normal(0, 0.4, variable.shape))
    return Trainer(
        config, decoder=decoder, vocabulary=vocabulary, train=split, dev=split, **options
    )


def rewarded():
    """Four steps with rewards; all but the first sample captions from changed weights."""
    settings = {"objective": "self_critical", "learning_rate": 0.5, "images_per_batch": 1}
    trainer = make_trainer(settings=settings)
    trainer.run()
    record = trainer.progress.history[0]
    return [record["reward"], record["loss"]]


def resumed_weights():
    """Two steps with dropout, once in one go and once from a checkpoint; the difference."""
    import tempfile

    from captioning.backend import to_numpy
    from captioning.training.checkpoints import Checkpoints

    def run(folder, stop):
        trainer = make_trainer(
            checkpoints=Checkpoints(folder),
            should_stop=lambda: stop and trainer.progress.step == 1,
        )
        trainer.run()
        return [to_numpy(variable) for variable in trainer.decoder.weights]

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = run(one, False)
        run(two, True)
        resumed = run(two, False)
    return max(float(np.abs(a - b).max()) for a, b in zip(whole, resumed, strict=True))


def on(backend):
    """What this file prints in a process of its own."""
    ended = subprocess.run(
        [sys.executable, __file__],
        cwd=ROOT,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


def report():
    import keras

    from captioning.inference.loading import _finds_gpu

    return {
        "backend": keras.config.backend(),
        "gpu": _finds_gpu(),
        "resumed": resumed_weights(),
        "rewarded": rewarded(),
        **{kind: train_and_search(kind) for kind in KINDS},
    }


@pytest.mark.slow
def test_another_backend_learns_and_says_the_same():
    import pytest

    other = next((name for name in ("jax", "torch") if importlib.util.find_spec(name)), None)
    if other is None:
        pytest.skip("neither JAX nor Torch is installed")
    theirs = on(other)
    assert theirs["backend"] == other
    assert theirs["gpu"] is False  # JAX_PLATFORMS
    assert theirs["resumed"] < 1e-6
    np.testing.assert_allclose(theirs["rewarded"], rewarded(), atol=1e-4)
    for kind in KINDS:
        ours, found = train_and_search(kind), theirs[kind]
        np.testing.assert_allclose(found["losses"], ours["losses"], atol=1e-4)
        for name in ("beam", "sample"):
            assert [ids for ids, _ in found[name]] == [ids for ids, _ in ours[name]]
            np.testing.assert_allclose(
                [total for _, total in found[name]], [total for _, total in ours[name]], atol=1e-3
            )
        assert found["drawn"] == ours["drawn"]
        assert found["changed"] == ours["changed"] == [[]] * 4


@pytest.mark.slow
def test_this_backend_learns_from_what_it_is_given():
    """What the comparison above rests on: the losses fall and the sentences differ."""
    ours = train_and_search("attention")
    assert ours["losses"][2] < ours["losses"][0]
    assert len({tuple(ids) for ids, _ in ours["beam"]}) > 4
    assert ours["changed"] == [[]] * 4


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    print(json.dumps(report()))
