"""Settings that are chosen by a data set's size and language."""

import sys

import pytest
from PIL import Image

from captioning.datasets import load
from captioning.errors import ConfigError
from captioning.runs import fine_tuning, preset_for

KNOWN = "a red circle above a blue square"


@pytest.fixture
def own(tmp_path):
    """A function that makes a data set of so many photos, each with one caption."""

    def make(photos, caption=KNOWN):
        root = tmp_path / "mine"
        root.mkdir()
        names = [f"{n}.png" for n in range(photos)]
        for name in names:
            Image.new("RGB", (4, 4)).save(root / name)
        rows = "".join(f"{name},{caption}\n" for name in names)
        (root / "captions.csv").write_text(f"image,caption\n{rows}")
        return load(root)

    return make


def test_few_photos_fine_tune_the_model(own, tiny_bundle):
    preset = preset_for(own(100), "mine", tiny_bundle)
    config = preset.config
    assert config.start_from == tiny_bundle.name
    assert (config.encoder, config.decoding) == (tiny_bundle.encoder, tiny_bundle.decoding)
    assert config.name == "mine tiny"
    assert (config.grow_vocabulary, config.min_count) == (True, 1)
    assert f"{tiny_bundle.name} knows 100% of the words" in preset.about


def test_new_words_are_learned_in_larger_steps(own, tiny_bundle):
    words = f"{KNOWN} {KNOWN} glitter"  # 14 of 15 words are known
    preset = preset_for(own(100, words), "mine", tiny_bundle)
    assert preset.config.start_from == tiny_bundle.name
    familiar = fine_tuning(tiny_bundle, "mine", photos=100).config
    assert preset.config.learning_rate > familiar.learning_rate


@pytest.mark.parametrize(("photos", "batch"), [(80, 8), (240, 16), (1000, 24), (2000, 24)])
def test_batch_and_epochs_follow_the_number_of_photos(tiny_bundle, photos, batch):
    config = fine_tuning(tiny_bundle, "mine", photos=photos).config
    assert config.images_per_batch == batch
    assert 100 <= -(-photos // batch) * config.epochs <= 400


def test_many_photos_train_a_new_decoder(own, tiny_bundle, monkeypatch):
    module = sys.modules["captioning.runs.presets"]  # the package has a function of this name
    monkeypatch.setattr(module, "MANY_PHOTOS", 20)
    preset = preset_for(own(40), "mine", tiny_bundle)
    assert preset.config.start_from is None
    assert preset.config.encoder.name == "efficientnetlite2"  # its weights need no download


@pytest.mark.parametrize("caption", ["ein roter Kreis über einem Quadrat", "一个红色的圆"])
def test_captions_in_unknown_words_train_a_new_decoder(own, tiny_bundle, caption):
    preset = preset_for(own(40, caption), "mine", tiny_bundle)
    assert preset.config.start_from is None
    assert preset.config.min_count == 1
    assert "knows 0% of their words" in preset.about


def test_without_a_model_a_new_decoder_is_trained(own):
    assert preset_for(own(40), "mine", None).config.start_from is None


def test_a_person_is_warned_of_too_few_photos(own, tiny_bundle):
    assert "training photos are very few" in preset_for(own(20), "mine", tiny_bundle).about


def test_enough_photos_bring_no_warning(own, tiny_bundle):
    about = preset_for(own(200), "mine", tiny_bundle).about
    assert "very few" not in about
    assert "rough" not in about


def test_drawn_shapes_have_settings_of_their_own(shapes, tiny_bundle):
    assert preset_for(shapes, "shapes", tiny_bundle).config.train_encoder


def test_a_data_set_without_captions_is_refused(own, tiny_bundle, monkeypatch):
    dataset = own(2)
    monkeypatch.setattr(type(dataset), "split", lambda self, split: ())
    with pytest.raises(ConfigError, match="--config"):
        preset_for(dataset, "mine", tiny_bundle)
