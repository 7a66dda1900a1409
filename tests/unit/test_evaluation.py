"""Scoring a model over a split."""

import json
import shutil

import pytest

from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset, load
from captioning.errors import DatasetError, FeaturesError, ImageError
from captioning.evaluation import evaluate
from captioning.features import extract_features, store_folder
from captioning.images import read_image
from captioning.metrics import score_captions
from captioning.vocabulary import Vocabulary

GREEDY = DecodingConfig(beam_width=1, length_penalty=1.0)


@pytest.fixture(scope="module")
def evaluation(tiny_captioner, shapes):
    return evaluate(tiny_captioner, shapes, split="train", decoding=GREEDY)


def test_every_photo_is_captioned_and_scored_against_all_its_references(
    evaluation, tiny_captioner, shapes
):
    photos = shapes.split("train")
    said = [tiny_captioner.caption(read_image(shapes.path(photo)), GREEDY).text for photo in photos]
    assert evaluation.captions == {p.name: text for p, text in zip(photos, said, strict=True)}
    assert len(set(said)) > 3
    assert evaluation.scores == score_captions(said, [photo.captions for photo in photos])
    assert evaluation.scores.n == len(photos) == 32  # more than one batch


def test_the_result_says_by_which_protocol(evaluation):
    result = evaluation.to_dict()
    assert json.loads(json.dumps(result)) == result
    assert result["model"] == "tiny"
    assert result["data"] == "shapes"
    assert result["split"] == "train"
    assert result["images"] == 32
    assert (result["beam_width"], result["length_penalty"]) == (1, 1.0)
    assert result["protocol"]
    assert result["seconds"] >= 0
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"):
        assert result[name] == pytest.approx(getattr(evaluation.scores, name), abs=0.005)
    assert result["bleu_1"] > 0


def test_progress_is_reported(tiny_captioner, shapes):
    progress = []
    evaluate(
        tiny_captioner,
        shapes,
        split="train",
        decoding=GREEDY,
        on_progress=lambda *figures: progress.append(figures),
    )
    assert [total for _, total in progress] == [32] * len(progress)
    assert [done for done, _ in progress] == sorted({done for done, _ in progress})
    assert progress[-1] == (32, 32)


def test_the_bundle_says_how_unless_the_caller_does(tiny_captioner, shapes):
    result = evaluate(tiny_captioner, shapes).to_dict()
    assert (result["split"], result["images"]) == ("test", 4)
    assert result["beam_width"] == tiny_captioner.bundle.decoding.beam_width


def test_stored_features_are_used_if_there_are_any(tiny_captioner, shapes, monkeypatch):
    bundle = tiny_captioner.bundle
    expected = evaluate(tiny_captioner, shapes, split="dev", decoding=GREEDY)
    folder = store_folder(bundle.encoder, shapes, arrays=bundle.encoder_arrays())
    extract_features(tiny_captioner.encoder, shapes, folder)
    blind = Captioner.load(bundle.folder, with_encoder=False)
    monkeypatch.setattr("captioning.networks.open_encoder", None)
    found = evaluate(blind, shapes, split="dev", decoding=GREEDY)
    assert found.captions == expected.captions
    assert found.scores == expected.scores


def test_a_missing_split_is_reported(tiny_captioner, shapes):
    with pytest.raises(DatasetError, match="'validation'"):
        evaluate(tiny_captioner, shapes, split="validation")
    without = CaptionDataset(
        "shapes", shapes.root, shapes.split("train"), shapes.folder, shapes.oddities
    )
    with pytest.raises(DatasetError, match="no test photos"):
        evaluate(tiny_captioner, without)


def test_a_score_is_never_of_fewer_photos_than_it_says(tiny_captioner, shapes, tmp_path):
    """A photo that cannot be read stops it, with features stored or without."""
    shutil.copytree(shapes.root, tmp_path / "copy")
    copy = load(tmp_path / "copy")
    bad = copy.split("test")[1]
    copy.path(bad).write_bytes(b"not a photo")
    with pytest.raises(ImageError, match=bad.name):
        evaluate(tiny_captioner, copy, decoding=GREEDY)
    bundle = tiny_captioner.bundle
    folder = store_folder(bundle.encoder, copy, arrays=bundle.encoder_arrays())
    extract_features(tiny_captioner.encoder, copy, folder)
    with pytest.raises(FeaturesError, match=bad.name):
        evaluate(tiny_captioner, copy, decoding=GREEDY)


def test_captions_without_uncertain_details_are_scored_only_if_asked_for(
    write_tiny_bundle, tiny_bundle, shapes, tmp_path
):
    swapped = {"red": "with", "green": "on"}
    words = [swapped.get(word, word) for word in tiny_bundle.vocabulary.words]
    write_tiny_bundle(tmp_path / "details", vocabulary=Vocabulary(words))
    captioner = Captioner.load(tmp_path / "details")
    decoding = GREEDY.replace(gender_certainty=0.0, detail_certainty=1.0)
    whole, short = (
        evaluate(captioner, shapes, split="dev", decoding=decoding, detail_certainty=at_least)
        for at_least in (0.0, 1.0)
    )
    assert any("with" in text or " on " in text for text in whole.captions.values())
    assert whole.captions != short.captions
    for name, text in short.captions.items():
        left = text.removeprefix("a photo of ").split()
        assert len(left) <= len(whole.captions[name].split())
        assert set(left) <= set(whole.captions[name].split())


def test_neutral_words_are_scored_only_if_asked_for(
    write_tiny_bundle, tiny_bundle, shapes, tmp_path
):
    swapped = {"red": "man", "green": "woman"}
    words = [swapped.get(word, word) for word in tiny_bundle.vocabulary.words]
    write_tiny_bundle(tmp_path / "people", vocabulary=Vocabulary(words))
    captioner = Captioner.load(tmp_path / "people")
    decoding = GREEDY.replace(gender_certainty=1.0)
    own, neutral = (
        evaluate(captioner, shapes, split="dev", decoding=decoding, neutral_words=asked)
        for asked in (False, True)
    )
    gendered = {n: text for n, text in own.captions.items() if {"man", "woman"} & {*text.split()}}
    assert gendered
    for name, text in gendered.items():
        assert neutral.captions[name] != text
        assert not {"man", "woman"} & {*neutral.captions[name].split()}
    assert {n: t for n, t in own.captions.items() if n not in gendered}.items() <= (
        neutral.captions.items()
    )
