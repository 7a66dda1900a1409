"""Distillation: the same views for teacher and student, a student that learns, exact resuming."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioning.bundle import lent_encoder, read_bundle
from captioning.cli.distill import run as run_command
from captioning.config import EncoderConfig
from captioning.datasets import generate_shapes
from captioning.encoders import load_encoder
from captioning.errors import BundleError, ConfigError, FeaturesError, TrainingError
from captioning.training.distillation.learning import (
    SteadyThenDown,
    distill,
    flipped,
    pasted,
    regrid,
)
from captioning.training.distillation.recording import Basis, Recording, draw_view, record_views
from captioning.training.distillation.settings import (
    DistillationConfig,
    read_distillation_config,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SIZE = 64
CONFIG = DistillationConfig(
    data="shapes",
    teacher=EncoderConfig(name="compact", input_size=SIZE, width=16),
    student=EncoderConfig(name="compact", input_size=SIZE, width=4),
    views=80,
    components=16,
    steps=30,
    views_per_batch=16,
    warmup_steps=3,
    report_every=10,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return generate_shapes(tmp_path_factory.mktemp("data") / "shapes", count=40, seed=0)


@pytest.fixture(scope="module")
def teacher():
    return load_encoder(CONFIG.teacher, arrays=read_bundle("shapes").encoder_arrays())


@pytest.fixture(scope="module")
def recording(tmp_path_factory, dataset, teacher):
    return record_views(tmp_path_factory.mktemp("views"), CONFIG, dataset, teacher)


def test_a_view_is_a_part_of_the_photo_of_the_asked_size():
    photo = Image.fromarray(np.arange(120 * 90 * 3, dtype=np.uint8).reshape(90, 120, 3))
    for seed in range(200):
        width, height = draw_view(photo, np.random.default_rng(seed), smallest=0.5).size
        assert 0.48 <= width * height / (120 * 90) <= 1
        assert 0.74 < (width / height) < 1.36 or (width, height) == photo.size


def test_the_same_random_state_draws_the_same_view():
    photo = Image.effect_noise((50, 50), 60).convert("RGB")
    one, same, other = (draw_view(photo, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_components_keep_what_varies_most():
    random = np.random.default_rng(0)
    hidden = random.normal(size=(500, 3))
    regions = (hidden @ random.normal(size=(3, 10)) * 5 + 2).astype(np.float32)
    scores = Basis.fit(regions, 3)(regions)
    assert np.allclose(scores.mean(axis=0), 0, atol=1e-3)
    assert np.mean(scores**2) == pytest.approx(1, rel=1e-3)
    rebuilt, *_ = np.linalg.lstsq(scores, regions - regions.mean(axis=0), rcond=None)
    assert np.abs(scores @ rebuilt - (regions - regions.mean(axis=0))).max() < 1e-2


def test_targets_are_what_the_teacher_sees_in_the_recorded_pixels(recording, teacher):
    """Both look at 64 pixels here, so the recorded pixels are the teacher's own."""
    from safetensors.numpy import load_file

    basis = Basis(**load_file(recording.folder / "basis.safetensors"))
    seen = basis(teacher.encode(np.asarray(recording.pixels[:5])))
    assert recording.written == CONFIG.views
    assert np.allclose(recording.targets[:5], seen, atol=2e-3 * np.abs(seen).max())


def test_a_broken_off_recording_goes_on_to_the_same_end(recording, dataset, teacher, tmp_path):
    """In the same components: a processor's last bits may turn directions that vary alike."""
    shutil.copy(recording.folder / "basis.safetensors", tmp_path)
    asked = iter([False, True])
    part = record_views(tmp_path, CONFIG, dataset, teacher, should_stop=lambda: next(asked))
    assert 0 < part.written < CONFIG.views
    whole = record_views(tmp_path, CONFIG, dataset, teacher)
    assert (np.asarray(whole.pixels) == recording.pixels).all()
    np.testing.assert_allclose(whole.targets, recording.targets, rtol=2e-3, atol=2e-3)


def test_a_recording_of_another_configuration_is_refused(recording, dataset, teacher):
    with pytest.raises(FeaturesError, match="another configuration"):
        record_views(recording.folder, CONFIG.replace(views=90), dataset, teacher)


def test_more_components_than_channels_are_refused(dataset, teacher, tmp_path):
    with pytest.raises(ConfigError, match="channels"):
        record_views(tmp_path, CONFIG.replace(components=4096), dataset, teacher)


def test_flipping_turns_pixels_and_map_alike():
    pixels = np.arange(8 * 4 * 4 * 3).reshape(8, 4, 4, 3)
    targets = np.arange(8 * 2 * 2 * 1).reshape(8, 2, 2, 1)
    new_pixels, new_targets = flipped(pixels, targets, np.random.default_rng(0))
    turned = [(new_pixels[i] != pixels[i]).any() for i in range(8)]
    assert 0 < sum(turned) < 8
    for i in range(8):
        step = -1 if turned[i] else 1
        assert (new_pixels[i] == pixels[i][:, ::step]).all()
        assert (new_targets[i] == targets[i][:, ::step]).all()


def test_pasting_moves_a_region_of_the_map_with_its_pixels():
    """Views whose pixels and regions all hold the view's number stay in step."""
    numbers = np.arange(32)[:, None, None, None]
    pixels, targets = np.tile(numbers, (1, 10, 10, 3)), np.tile(numbers, (1, 5, 5, 2))
    new_pixels, new_targets = pasted(pixels, targets, np.random.default_rng(0), share=0.5)
    assert (new_pixels[:, ::2, ::2, 0] == new_targets[..., 0]).all()
    assert (new_pixels[:, 1::2, 1::2, 0] == new_targets[..., 0]).all()
    mixed = [len(np.unique(view)) > 1 for view in new_targets]
    assert 5 < sum(mixed) < 27
    assert (pixels == numbers).all(), "what was read is not changed"


@pytest.mark.parametrize(("old", "new"), [(7, 5), (7, 7), (4, 8), (10, 3)])
def test_another_grid_keeps_the_mean_and_a_slope(old, new):
    slope = (np.arange(old) + 0.5) / old
    maps = np.broadcast_to(slope[:, None, None], (old, old, 1)).reshape(1, old * old, 1)
    moved = regrid(maps.astype(np.float32), new)
    assert moved.shape == (1, new, new, 1)
    assert moved.mean() == pytest.approx(slope.mean(), abs=1e-6)
    if new <= old:
        assert moved[0, :, 0, 0] == pytest.approx((np.arange(new) + 0.5) / new, abs=0.5 / old)


def test_the_rate_rises_stays_and_falls():
    rate = SteadyThenDown(1.0, steps=100, warmup=10, cooldown=0.2)
    values = [float(rate(step)) for step in range(100)]
    assert values[0] == pytest.approx(0.1)
    assert values[9:80] == pytest.approx([1.0] * 71)
    assert values[90] == pytest.approx(0.5)
    assert values[99] == pytest.approx(0.05)


def test_a_student_learns_to_see_what_the_teacher_sees(recording):
    reports = []
    arrays = distill(CONFIG, recording, on_report=reports.append)
    assert [report.step for report in reports] == [10, 20, 30]
    assert reports[-1].loss < 0.8 * reports[0].loss
    assert reports[-1].held_out < reports[0].held_out
    student = load_encoder(CONFIG.student, arrays=arrays)
    seen = student.encode(np.zeros((2, SIZE, SIZE, 3), np.uint8))
    assert seen.shape == (2, *student.feature_shape)


def test_a_stopped_distillation_goes_on_as_if_it_had_not(recording, tmp_path):
    whole = distill(CONFIG, recording)
    count = iter(range(100))
    stopped = distill(
        CONFIG, recording, checkpoint_folder=tmp_path, should_stop=lambda: next(count) >= 15
    )
    assert stopped is None
    resumed = distill(CONFIG, recording, checkpoint_folder=tmp_path)
    for path, value in whole.items():
        assert np.allclose(resumed[path], value, atol=1e-6), path


def test_nothing_recorded_is_reported(tmp_path):
    with pytest.raises(FeaturesError, match="Record"):
        Recording(tmp_path)
    np.save(tmp_path / "pixels.npy", np.zeros((4, SIZE, SIZE, 3), np.uint8))
    np.save(tmp_path / "targets.npy", np.zeros((4, 64, 16), np.float16))
    with pytest.raises(TrainingError, match="no views yet"):
        distill(CONFIG, Recording(tmp_path))


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "distill").glob("*.json")))
def test_shipped_configurations_are_read(path):
    assert json.loads(path.read_text())["_about"]
    config = read_distillation_config(path)
    assert DistillationConfig.from_dict(config.to_dict()) == config


def test_the_command_leaves_an_encoder_that_a_run_can_name(tmp_path, monkeypatch, capsys):
    import argparse

    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "data"))
    config = ROOT / "configs" / "distill" / "shapes.json"
    asked = {"config": config, "set": [], "data": None, "encoding": None, "allow_missing": False}
    arguments = argparse.Namespace(**asked, out=str(tmp_path / "out"))
    assert run_command(arguments) == 0
    message = capsys.readouterr()
    assert str(tmp_path / "out") in message.out
    assert "shapes: 60 photos with 300 captions" in message.err
    arrays, lent = lent_encoder(tmp_path / "out")
    assert not lent
    load_encoder(read_distillation_config(config).student, arrays=arrays)
    with pytest.raises(BundleError):
        lent_encoder(tmp_path / "data")

    from captioning.captioner import Captioner
    from captioning.config import DecoderConfig, TrainingConfig
    from captioning.datasets import load
    from captioning.training import train

    settings = TrainingConfig(
        data="shapes",
        encoder=read_distillation_config(config).student,
        encoder_from=str(tmp_path / "out"),
        decoder=DecoderConfig(embedding_size=8, units=8, heads=2),
        epochs=1,
        min_count=1,
    )
    bundle = train(
        settings, load(tmp_path / "data" / "shapes-60-0"), bundle_folder=tmp_path / "model"
    )
    kept = bundle.encoder_arrays()
    assert bundle.encoder_from is None, "a model that is given away needs no folder of ours"
    assert all(np.allclose(kept[path], arrays[path], atol=1e-3) for path in arrays)
    assert Captioner.load(bundle.folder).encoder.feature_shape == bundle.feature_shape
