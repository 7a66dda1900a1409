"""From a photo to a caption: what a caption says of itself, and many threads at one model."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from captioning.caption import Word
from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.errors import ConfigError, FeaturesError, WeightsError
from captioning.images import read_image
from captioning.inference.keras_decoder import KerasDecoder
from captioning.vocabulary import Vocabulary

BEAM = DecodingConfig(beam_width=3)


@pytest.fixture(scope="module")
def caption(tiny_captioner, photo):
    return tiny_captioner.caption(photo, BEAM)


def test_a_caption_says_what_there_is_to_know_of_it(caption, tiny_bundle):
    assert caption.model == tiny_bundle.name == "tiny"
    assert caption.decoding == BEAM
    assert caption.seconds > 0
    assert len(caption.alternatives) == 2
    assert caption.text == " ".join(word.word for word in caption.words)
    vocabulary = tiny_bundle.vocabulary
    assert all(word.word in vocabulary.words[4:] for word in caption.words)
    assert len(caption.words) <= tiny_bundle.decoder.max_length
    with pytest.raises(dataclasses.FrozenInstanceError):
        caption.text = "something else"


def test_its_probability_is_the_product_of_its_words(caption):
    assert caption.words
    assert all(word.log_prob <= 0 for word in caption.words)
    assert caption.log_prob == pytest.approx(sum(word.log_prob for word in caption.words), abs=1e-6)
    assert all(alternative.log_prob <= 0 for alternative in caption.alternatives)


def test_it_becomes_plain_data_as_the_command_line_prints_it(caption):
    content = caption.to_dict()
    assert json.loads(json.dumps(content)) == content
    assert set(content) >= {*("caption", "log_prob", "words", "alternatives", "model", "seconds")}
    assert content["caption"] == caption.text
    assert content["words"][0] == {
        "word": caption.words[0].word,
        "log_prob": caption.words[0].log_prob,
    }
    assert set(content["alternatives"][0]) == {"caption", "log_prob"}


def test_alternatives_are_other_sentences_ranked_like_the_first(tiny_captioner, photo):
    """Under another length penalty the same beams come in another order, at most."""
    features = tiny_captioner.encode([photo])
    orders = []
    for penalty in (0.0, 2.0):
        (found,) = tiny_captioner.describe(
            features, BEAM.replace(beam_width=3, length_penalty=penalty)
        )
        orders.append([found.text, *(alternative.caption for alternative in found.alternatives)])
        assert len(set(orders[-1])) == 3
    assert set(orders[0]) == set(orders[1])


def test_the_bundle_says_how_captions_are_chosen_unless_the_caller_does(tiny_captioner, photo):
    assert tiny_captioner.caption(photo).decoding == tiny_captioner.bundle.decoding
    drawn = DecodingConfig(strategy="sample", samples=3, seed=1, temperature=2.0)
    caption = tiny_captioner.caption(photo, drawn)
    assert caption.decoding == drawn
    assert len(caption.alternatives) == 2


def test_a_photo_and_its_features_give_the_same_caption(tiny_captioner, photo, caption):
    features = tiny_captioner.encode([photo, photo.rotate(180)])
    assert features.shape == (2, *tiny_captioner.bundle.feature_shape)
    both = tiny_captioner.describe(features, BEAM)
    assert both[0].text == caption.text
    assert both[0].log_prob == pytest.approx(caption.log_prob, abs=1e-4)
    squares = np.stack([tiny_captioner.encoder.pixels(photo)])
    np.testing.assert_allclose(tiny_captioner.encode_squares(squares)[0], features[0], atol=1e-4)


def test_a_trace_may_be_read_again_without_the_model(tiny_captioner, photo, caption):
    trace = tiny_captioner.trace(tiny_captioner.encode([photo]), BEAM)
    (again,) = tiny_captioner.rank(trace, BEAM, seconds=1.5)
    assert (again.text, again.seconds) == (caption.text, 1.5)
    assert again.alternatives == tuple(
        dataclasses.replace(a, log_prob=pytest.approx(a.log_prob, abs=1e-4))
        for a in caption.alternatives
    )


def as_bytes(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def test_photos_of_every_kind_get_a_caption(tiny_captioner, photo, caption):
    """The same picture, however it is stored, is the same picture."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 270 degrees
    same = [
        as_bytes(photo.convert("RGBA"), "PNG"),
        as_bytes(photo, "BMP"),
        as_bytes(photo, "WEBP", lossless=True),
        as_bytes(photo.transpose(Image.Transpose.ROTATE_90), "TIFF", exif=exif),
    ]
    for content in same:
        assert tiny_captioner.caption(read_image(content), BEAM).text == caption.text
    others = [
        photo.convert("L"),
        photo.convert("P"),
        photo.convert("CMYK"),
        photo.convert("1"),
        Image.fromarray(np.full((5, 9), 40_000, np.uint16)),
        Image.new("RGB", (1, 1), "red"),
        Image.new("RGB", (1, 3000)),
        Image.new("RGBA", (40, 40), (0, 0, 0, 0)),
    ]
    for image in others:
        format = "JPEG" if image.mode == "CMYK" else "PNG"
        found = tiny_captioner.caption(read_image(as_bytes(image, format)), BEAM)
        assert np.isfinite(found.log_prob)


def test_a_picture_that_is_not_rgb_is_converted(tiny_captioner, photo):
    grey = photo.convert("L")
    expected = tiny_captioner.caption(grey.convert("RGB"), BEAM)
    assert tiny_captioner.caption(grey, BEAM).text == expected.text


def test_eight_threads_say_what_one_says(tiny_captioner, photo):
    photos = [photo.rotate(15 * place) for place in range(16)]
    configs = [BEAM, DecodingConfig(strategy="sample", samples=3, seed=1, temperature=2.0)]
    work = [(photo, config) for photo in photos for config in configs]

    def say(job):
        found = tiny_captioner.caption(*job)
        return found.text, [a.caption for a in found.alternatives]

    alone = [say(job) for job in work]
    assert len({text for text, _ in alone}) > 3
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(say, work)) == alone


def test_threads_that_come_at_once_load_the_encoder_once(tiny_bundle, photo, monkeypatch):
    from captioning import networks as module

    loads, gate = [], threading.Barrier(4)

    def open_encoder(*arguments, **options):
        loads.append(1)
        return original(*arguments, **options)

    original = module.open_encoder
    monkeypatch.setattr(module, "open_encoder", open_encoder)
    captioner = Captioner.load(tiny_bundle.folder, with_encoder=False)

    def encode(_):
        gate.wait()
        return captioner.encode([photo])

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(encode, range(4)))
    assert len(loads) == 1
    assert all(np.array_equal(results[0], other) for other in results)


def test_a_model_whose_encoder_is_nowhere_still_reads_features(
    tiny_bundle, tiny_captioner, photo, tmp_path, monkeypatch
):
    """As on a machine that has the stored features but no ImageNet weights."""
    shutil.copytree(tiny_bundle.folder, tmp_path / "tiny")
    from captioning import networks as module

    def nowhere(*arguments, **options):
        raise WeightsError("not found")

    monkeypatch.setattr(module, "open_encoder", nowhere)
    with pytest.raises(WeightsError):
        Captioner.load(tmp_path / "tiny")
    captioner = Captioner.load(tmp_path / "tiny", with_encoder=False)
    features = tiny_captioner.encode([photo, photo])
    assert (
        captioner.describe(features, BEAM)[0].words[0].word
        == tiny_captioner.describe(features, BEAM)[0].words[0].word
    )
    with pytest.raises(WeightsError):
        captioner.caption(photo)


def test_a_failed_call_does_not_hold_up_the_next(tiny_captioner, photo, caption):
    for _ in range(2):
        with pytest.raises(ConfigError, match="does not know"):
            tiny_captioner.caption(photo, DecodingConfig(required_words=("xylophone",)))
    assert tiny_captioner.caption(photo, BEAM).text == caption.text


@pytest.mark.slow
def test_the_networks_of_keras_are_the_same(tiny_bundle, photo):
    captioner = Captioner.load(tiny_bundle.folder)
    by_keras = Captioner(
        captioner.bundle, KerasDecoder(captioner.keras_decoder), captioner.keras_encoder
    )
    assert by_keras.keras_decoder is captioner.keras_decoder
    assert by_keras.keras_encoder is captioner.keras_encoder
    ours, theirs = (one.caption(photo, BEAM) for one in (captioner, by_keras))
    assert ours.text == theirs.text
    assert ours.log_prob == pytest.approx(theirs.log_prob, abs=1e-4)


def test_captioning_with_a_shipped_model_needs_no_keras(tmp_path, photo):
    """Neither on the first use, which writes the graphs, nor on the second, which reads them."""
    photo.save(tmp_path / "photo.png")
    script = (
        "import sys; from captioning.__main__ import main; status = main(sys.argv[1:]); "
        "print(sorted({'keras', 'tensorflow', 'onnx'} & set(sys.modules))); sys.exit(status)"
    )
    command = [sys.executable, "-c", script, "caption", "--model", "shapes", "--json"]
    printed = []
    for _ in range(2):
        ended = subprocess.run(
            [*command, str(tmp_path / "photo.png")],
            env={**os.environ, "CAPTIONING_DATA": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stderr
        printed.append(ended.stdout.splitlines())
    assert printed[0][-1] == "['onnx']"
    assert printed[1][-1] == "[]"
    assert len(list((tmp_path / "cache" / "graphs").glob("*.onnx"))) == 3


def test_single_sentences_of_several_lengths_are_read_one_after_another(tiny_captioner):
    features = tiny_captioner.blank_features
    sentences = ("two", "two red", "two red two", "two red two red two")
    for sentence in sentences:
        found = tiny_captioner.likelihoods(features, [sentence])
        assert found.shape == (1, 1, len(sentence.split()) + 1)


def test_uncertain_genders_are_left_out_of_the_sentence_alone(
    write_tiny_bundle, tiny_bundle, photo, tmp_path
):
    swapped = {"red": "man", "green": "woman"}
    words = [swapped.get(word, word) for word in tiny_bundle.vocabulary.words]
    write_tiny_bundle(tmp_path / "people", vocabulary=Vocabulary(words))
    captioner = Captioner.load(tmp_path / "people")
    doubtful = captioner.caption(photo, BEAM.replace(gender_certainty=1.0))
    assert "man" in doubtful.text.split()
    assert doubtful.neutral == doubtful.text.replace("woman", "person").replace("man", "person")
    assert "person" in doubtful.sentence.lower()
    assert [doubtful] == [
        dataclasses.replace(c, seconds=doubtful.seconds, kind=doubtful.kind)
        for c in captioner.describe(captioner.encode([photo]), doubtful.decoding)
    ]
    for kept in (
        captioner.caption(photo, BEAM.replace(gender_certainty=0.0)),
        captioner.caption(photo, BEAM.replace(gender_certainty=1.0, prefix=("man woman",))),
    ):
        assert kept.neutral is None
        assert "man" in kept.sentence.lower()


def test_uncertain_details_are_left_out_of_the_sentence_alone(tiny_captioner, photo):
    written = tiny_captioner.caption(photo, BEAM.replace(detail_certainty=0.4))
    words = tuple(Word(word, p) for word, p in (("red", -0.1), ("on", -0.1), ("green", -2.0)))
    written = dataclasses.replace(written, text="red on green", words=words)
    features = tiny_captioner.encode([photo])
    (short,) = tiny_captioner.with_neutral_words([written], features)
    assert (short.text, short.neutral) == ("red on green", "a photo of red")
    assert (short.sentence, short.left_out) == ("A photo of red.", ["on green"])
    whole = dataclasses.replace(written, decoding=BEAM)
    assert tiny_captioner.with_neutral_words([whole], features)[0].neutral is None


@pytest.mark.parametrize("shape", [(1,), (1, 2, 3, 4), (1, 0, 5)])
def test_features_of_another_shape_are_refused(tiny_captioner, shape):
    with pytest.raises(FeaturesError, match="reads features of the shape"):
        tiny_captioner.describe(np.zeros(shape, np.float32))
