"""The feature store: written in order, resumed where it stopped, read through a memory map."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from captioning.augmentation import View
from captioning.config import EncoderConfig
from captioning.datasets import CaptionDataset, Photo, load
from captioning.datasets.data_issues import Oddities
from captioning.errors import FeaturesError
from captioning.features import (
    FeatureStore,
    extract_features,
    fitted,
    store_folder,
    store_progress,
)
from captioning.images import read_image, to_square

CONFIG = EncoderConfig(name="compact", layer="map", input_size=32, width=4)


class SimpleEncoder:
    """Four quarters as regions, their mean colours as features; remembers what it has encoded."""

    def __init__(self, **changes):
        self.config = CONFIG.replace(**changes)
        self.feature_shape = (4, 3)
        self.encoded = []

    def pixels(self, photo):
        return to_square(photo, self.config.input_size)

    def encode(self, pixels):
        assert pixels.dtype == np.uint8
        self.encoded += [picture.tobytes() for picture in pixels]
        half = pixels.shape[1] // 2
        quarters = pixels.reshape(len(pixels), 2, half, 2, half, 3).mean(axis=(2, 4))
        return quarters.reshape(len(pixels), 4, 3).astype(np.float32)

    def of(self, dataset, photo):
        pixels = self.pixels(read_image(dataset.path(photo)))
        return SimpleEncoder().encode(pixels[None])[0].astype(np.float16)


@pytest.fixture
def encoder():
    return SimpleEncoder()


@pytest.fixture
def copy(shapes, tmp_path):
    """A data set that a test may damage."""
    shutil.copytree(shapes.root, tmp_path / "copy")
    return load(tmp_path / "copy")


def test_every_photo_has_its_own_features(shapes, encoder, tmp_path):
    store = extract_features(encoder, shapes, tmp_path / "store")
    assert store.names == tuple(photo.name for photo in shapes.photos)
    assert store.shape == (4, 3)
    assert store.skipped == {}
    for photo in shapes.photos:
        np.testing.assert_array_equal(store.of([photo.name])[0], encoder.of(shapes, photo))
    some = [photo.name for photo in shapes.split("dev")][::-1]
    together = store.of(some)
    assert together.dtype == np.float16
    assert together.shape == (4, 4, 3)
    np.testing.assert_array_equal(together[1], store.of(some[1:2])[0])
    np.testing.assert_array_equal(store.rows(store.places(some)), together)


@pytest.mark.parametrize("view", [View(flipped=True), View(crop=2)])
def test_training_photos_may_be_encoded_in_another_view(shapes, encoder, tmp_path, view):
    store = extract_features(encoder, shapes, tmp_path / "view", view=view)
    train = shapes.split("train")
    assert store.names == tuple(photo.name for photo in train)
    for photo in train:
        pixels = view.of(encoder.pixels(read_image(shapes.path(photo))), photo.name)
        expected = SimpleEncoder().encode(pixels[None])[0].astype(np.float16)
        np.testing.assert_array_equal(store.of([photo.name])[0], expected)
    plain = store_folder(CONFIG, shapes, tmp_path)
    assert store_folder(CONFIG, shapes, tmp_path, view=view) != plain


def test_features_lie_on_the_disk_and_not_in_memory(shapes, encoder, tmp_path):
    store = extract_features(encoder, shapes, tmp_path / "store")
    assert isinstance(store._rows, np.memmap)
    assert (tmp_path / "store" / "features.f16").stat().st_size == 40 * 4 * 3 * 2
    again = FeatureStore(tmp_path / "store")
    name = store.names[7]
    np.testing.assert_array_equal(again.of([name]), store.of([name]))
    with pytest.raises(ValueError, match="read-only"):
        again._rows[0] = 0


def test_a_finished_store_is_not_made_again(shapes, encoder, tmp_path):
    extract_features(encoder, shapes, tmp_path / "store")
    extract_features(encoder, shapes, tmp_path / "store")
    assert len(encoder.encoded) == 40


def test_progress_is_reported_after_each_batch(shapes, encoder, tmp_path):
    reports = []
    extract_features(encoder, shapes, tmp_path / "store", on_progress=reports.append)
    assert [progress.done for progress in reports] == [16, 32, 40]
    assert {progress.total for progress in reports} == {40}
    assert all(progress.rate > 0 for progress in reports)
    assert reports[-1].seconds_left == 0


def test_an_extraction_that_was_stopped_goes_on_where_it_stopped(shapes, tmp_path):
    first, second, reports = SimpleEncoder(), SimpleEncoder(), []
    with pytest.raises(FeaturesError, match="stopped.*resume"):
        extract_features(first, shapes, tmp_path / "store", should_stop=lambda: True)
    assert len(first.encoded) == 16
    with pytest.raises(FeaturesError, match="unfinished.*16 of 40"):
        FeatureStore(tmp_path / "store")
    store = extract_features(second, shapes, tmp_path / "store", on_progress=reports.append)
    assert len(second.encoded) == 24
    assert [progress.done for progress in reports] == [32, 40]
    whole = SimpleEncoder()
    extract_features(whole, shapes, tmp_path / "other")
    assert first.encoded + second.encoded == whole.encoded
    for photo in shapes.photos:
        np.testing.assert_array_equal(store.of([photo.name])[0], whole.of(shapes, photo))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_an_extraction_that_was_killed_loses_the_batch_under_way_alone(shapes, tmp_path, error):
    class Dying(SimpleEncoder):
        def encode(self, pixels):
            if len(self.encoded) == 32:
                raise error
            return super().encode(pixels)

    dying, second = Dying(), SimpleEncoder()
    with pytest.raises(error):
        extract_features(dying, shapes, tmp_path / "store")
    extract_features(second, shapes, tmp_path / "store")
    assert (len(dying.encoded), len(second.encoded)) == (32, 8)


def test_a_stop_asked_for_after_the_last_photo_comes_too_late(shapes, encoder, tmp_path):
    asked = []
    store = extract_features(
        encoder,
        shapes,
        tmp_path / "store",
        should_stop=lambda: asked.append(1) or len(asked) == 3,
    )
    assert len(store.names) == 40


def test_a_photo_that_cannot_be_read_is_skipped_and_named(copy, encoder, tmp_path):
    names = [photo.name for photo in copy.photos]
    (copy.folder / names[3]).write_bytes(b"no photo")
    (copy.folder / names[20]).write_bytes(b"")
    stopping = iter([True])
    with pytest.raises(FeaturesError):
        extract_features(
            encoder, copy, tmp_path / "store", should_stop=lambda: next(stopping, False)
        )
    store = extract_features(encoder, copy, tmp_path / "store")
    assert set(store.skipped) == {names[3], names[20]}
    assert names[3] in store.skipped[names[3]]
    assert "0 bytes" in store.skipped[names[20]]
    assert names[3] not in store
    assert names[4] in store
    with pytest.raises(FeaturesError, match="no features of.*0 bytes"):
        store.of([names[4], names[20]])
    for name in (names[2], names[4], names[19], names[39]):
        np.testing.assert_array_equal(store.of([name])[0], encoder.of(copy, copy[name]))


def test_a_photo_of_another_set_is_named(shapes, encoder, tmp_path):
    store = extract_features(encoder, shapes, tmp_path / "store")
    assert "other.jpg" not in store
    with pytest.raises(FeaturesError, match="other.jpg.*not in this store"):
        store.of([store.names[0], "other.jpg"])


def test_figures_of_channels_are_those_of_the_named_photos(shapes, encoder, tmp_path):
    store = extract_features(encoder, shapes, tmp_path / "store")
    names = [photo.name for photo in shapes.split("train")]
    values = store.of(names).astype(np.float64).reshape(-1, 3)
    mean, deviation = store.channel_figures(names)
    assert mean.dtype == deviation.dtype == np.float32
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation, values.std(axis=0), rtol=1e-4)
    others, _ = store.channel_figures([photo.name for photo in shapes.split("dev")])
    assert np.abs(others - mean).max() > 0.1


# Where a store lies


def test_a_store_is_named_by_whatever_its_features_depend_on(shapes, copy, data_home):
    folders = [
        store_folder(CONFIG, shapes),
        store_folder(CONFIG.replace(input_size=64), shapes),
        store_folder(EncoderConfig(name="xception"), shapes),
        store_folder(EncoderConfig(name="xception", layer="avg_pool"), shapes),
        store_folder(EncoderConfig(name="vgg16"), shapes),
        store_folder(CONFIG, shapes, arrays={"a": np.zeros(3)}),
        store_folder(CONFIG, shapes, arrays={"a": np.ones(3)}),
    ]
    photo = copy.photos[0]
    copy.path(photo).write_bytes(copy.path(photo).read_bytes() + b" ")
    folders.append(store_folder(CONFIG, load(copy.root)))
    copy.path(photo).unlink()
    folders.append(store_folder(CONFIG, load(copy.root)))
    assert len(set(folders)) == len(folders)
    assert all(folder.parent == data_home / "features" for folder in folders)
    assert all(folder.name.startswith("shapes-") for folder in folders)


def test_a_store_is_found_again_for_the_same_photos(shapes, copy, data_home, tmp_path):
    assert store_folder(CONFIG, copy) == store_folder(CONFIG, shapes)
    spelled = EncoderConfig(name="xception", layer="block13", input_size=299)
    assert store_folder(EncoderConfig(), shapes) == store_folder(spelled, shapes)
    assert store_folder(CONFIG, shapes, tmp_path).parent == tmp_path


def test_how_far_a_store_is_can_be_asked_without_an_encoder(shapes, encoder):
    assert store_progress(CONFIG, shapes) == 0
    with pytest.raises(FeaturesError):
        extract_features(encoder, shapes, store_folder(CONFIG, shapes), should_stop=lambda: True)
    assert store_progress(CONFIG, shapes) == 16


@pytest.mark.parametrize("change", ["encoder", "photos"])
def test_a_folder_that_holds_something_else_is_started_again(shapes, copy, tmp_path, change):
    extract_features(SimpleEncoder(), shapes, tmp_path / "store")
    other, dataset = SimpleEncoder(), shapes
    if change == "encoder":
        other = SimpleEncoder(width=8)
    else:
        copy.path(copy.photos[5]).unlink()
        dataset = load(copy.root)
    store = extract_features(other, dataset, tmp_path / "store")
    assert len(other.encoded) == len(store.names) == len(dataset)


# Damage


@pytest.fixture
def finished(shapes, tmp_path):
    extract_features(SimpleEncoder(), shapes, tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"{}", b"[" * 100_000])
def test_a_damaged_index_is_named_with_what_to_do(shapes, finished, content):
    (finished / "index.json").write_bytes(content)
    for use in (FeatureStore, lambda folder: extract_features(SimpleEncoder(), shapes, folder)):
        with pytest.raises(FeaturesError, match="index.json.*[Dd]elete") as caught:
            use(finished)
        assert str(finished) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [{"format_version": 99}, {"names": None}, {"done": "all"}, {"shape": 3}, {"skipped": []}],
    ids=str,
)
def test_an_index_that_says_something_strange_is_named(finished, change):
    index = json.loads((finished / "index.json").read_text())
    (finished / "index.json").write_text(json.dumps({**index, **change}))
    with pytest.raises(FeaturesError, match="index.json.*delete"):
        FeatureStore(finished)


@pytest.mark.parametrize("damage", ["shorter", "longer", "empty", "missing", "folder"])
def test_rows_that_do_not_fit_the_index_are_named(shapes, finished, damage):
    path = finished / "features.f16"
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"shorter": content[:-2], "longer": content + b"00", "empty": b""}[damage])
    for use in (FeatureStore, lambda folder: extract_features(SimpleEncoder(), shapes, folder)):
        with pytest.raises(FeaturesError, match="features.f16.*delete"):
            use(finished)


def test_a_store_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(FeaturesError, match="no features"):
        FeatureStore(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_made_is_reported(shapes, encoder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FeaturesError, match="cannot be written"):
        extract_features(encoder, shapes, tmp_path / "file" / "store")


def test_a_full_disk_is_reported_before_anything_is_encoded(shapes, encoder, tmp_path, monkeypatch):
    """Found out while writing through the memory map, it would kill the process."""

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(FeaturesError, match="No space left on device"):
        extract_features(encoder, shapes, tmp_path / "store")
    assert encoder.encoded == []
    monkeypatch.undo()
    assert len(extract_features(encoder, shapes, tmp_path / "store").names) == 40


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_not_stored(shapes, tmp_path, odd):
    class Damaged(SimpleEncoder):
        def encode(self, pixels):
            return np.where(np.arange(3) == 1, odd, super().encode(pixels))

    with pytest.raises(FeaturesError, match="NaN"):
        extract_features(Damaged(), shapes, tmp_path / "store")
    assert json.loads((tmp_path / "store" / "index.json").read_text())["done"] == 0


def test_the_index_is_never_seen_half_written(shapes, tmp_path, monkeypatch):
    """It is moved into place, so a reader at any moment finds the whole of it."""
    seen = []

    def look(progress):
        seen.append(json.loads((tmp_path / "store" / "index.json").read_text())["done"])

    extract_features(SimpleEncoder(), shapes, tmp_path / "store", on_progress=look)
    assert seen == [16, 32, 40]
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"index.json", "features.f16"}


def test_the_real_encoder_has_the_face_that_extraction_needs(shapes, tiny_captioner, tmp_path):
    encoder = tiny_captioner.encoder
    few = SimpleNamespace(photos=shapes.photos[:3], path=shapes.path)
    store = extract_features(encoder, few, tmp_path / "store")
    pixels = np.stack([encoder.pixels(read_image(shapes.path(p))) for p in few.photos])
    expected = encoder.encode(pixels)
    assert store.shape == encoder.feature_shape
    np.testing.assert_allclose(store.of(store.names), expected, atol=2e-3 * np.abs(expected).max())


def test_a_model_gets_used_to_the_size_of_small_square_jpegs(tmp_path):
    def data_set(*sizes, ending="jpg"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for number, size in enumerate(sizes):
            Image.new("RGB", size).save(folder / f"{number}.{ending}")
        photos = tuple(Photo(f"{n}.{ending}", ("a",), "train") for n in range(len(sizes)))
        return CaptionDataset("x", folder, photos, folder, Oddities())

    copies = data_set((48, 48), (48, 48))
    assert fitted(CONFIG, copies) == CONFIG.replace(photo_size=48)
    assert fitted(CONFIG.replace(photo_size=0), copies).photo_size == 0
    for other in (
        data_set((48, 48), (64, 64)),
        data_set((48, 32), (48, 32)),
        data_set((48, 48), ending="png"),
        data_set(),
    ):
        assert fitted(CONFIG, other).photo_size == 0
    gone = data_set((48, 48))
    gone.path(gone.photos[0]).unlink()
    assert fitted(CONFIG, gone).photo_size == 0
