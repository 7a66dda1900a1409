"""Captions for photos without captions, chosen among sentences of people."""

import csv

import numpy as np
import pytest

import captioning.retrieval.pseudo_labels as module
from captioning.__main__ import main
from captioning.datasets import load
from captioning.errors import ConfigError
from captioning.retrieval.pseudo_labels import PseudoLabeler
from captioning.text import tokenize

SENTENCES = ["the red circle", "two blue square above", "a small triangle", "a red unicorn"]


@pytest.fixture(scope="module")
def features(tiny_captioner, shapes):
    return np.concatenate(list(tiny_captioner.look(shapes, shapes.split("train")[:3])))


def test_scores_are_the_gain_over_the_blank_photo(tiny_captioner, features, monkeypatch):
    monkeypatch.setattr(tiny_captioner, "describe", lambda f: [Said("the red blue small")] * len(f))
    labeler = PseudoLabeler(tiny_captioner, SENTENCES)
    chosen = labeler.choose(features, 2)
    assert [len(of_photo) for of_photo in chosen] == [2, 2, 2]
    blank = tiny_captioner.bundle.decoder_arrays()["decoder/scaling/mean"].astype(np.float32)
    blank = np.broadcast_to(blank, features.shape[1:])[None]
    for photo, of_photo in zip(features, chosen, strict=True):
        expected = {}
        for sentence in SENTENCES[:3]:
            seen, prior = (
                tiny_captioner.likelihoods(look.astype(np.float32), [sentence]).sum()
                for look in (photo[None], blank)
            )
            expected[sentence] = (seen - 0.5 * prior) / (len(tokenize(sentence)) + 1)
        best = sorted(expected.items(), key=lambda pair: -pair[1])[:2]
        assert [sentence.text for sentence in of_photo] == [text for text, _ in best]
        assert [s.score for s in of_photo] == pytest.approx([score for _, score in best], rel=1e-3)


def test_candidates_share_words_with_the_caption(tiny_captioner, features, monkeypatch):
    monkeypatch.setattr(tiny_captioner, "describe", lambda f: [Said("square")] * len(f))
    labeler = PseudoLabeler(tiny_captioner, SENTENCES)
    assert [s.text for s in labeler.choose(features[:1], 5)[0]] == ["two blue square above"]
    monkeypatch.setattr(tiny_captioner, "describe", lambda f: [Said("")] * len(f))
    assert labeler.choose(features[:1], 5) == [[]]


def test_few_candidates_are_the_nearest(tiny_captioner, features, monkeypatch):
    monkeypatch.setattr(module, "CANDIDATES", 1)
    monkeypatch.setattr(tiny_captioner, "describe", lambda f: [Said("a small triangle")] * len(f))
    labeler = PseudoLabeler(tiny_captioner, SENTENCES)
    assert [s.text for s in labeler.choose(features[:1], 5)[0]] == ["a small triangle"]


def test_sentences_with_unknown_words_do_not_count(tiny_captioner):
    with pytest.raises(ConfigError, match="none of the sentences"):
        PseudoLabeler(tiny_captioner, ["a unicorn sleeps"])


def test_a_model_without_regions_is_refused(tiny_captioner, monkeypatch):
    monkeypatch.setattr(type(tiny_captioner.bundle), "decoder_arrays", lambda self: {})
    with pytest.raises(ConfigError, match="attention"):
        PseudoLabeler(tiny_captioner, SENTENCES)


def test_the_command_writes_a_data_set(tiny_bundle, shapes, tmp_path, capsys):
    for photo in shapes.split("train")[:3]:
        (tmp_path / photo.name).write_bytes(shapes.path(photo).read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    sentences = tmp_path.parent / "sentences.txt"
    sentences.write_text("\n".join(SENTENCES))
    command = ["pseudo-label", str(tmp_path), "--sentences", str(sentences), "--count", "2"]
    assert main([*command, "--model", str(tiny_bundle.folder)]) == 0
    printed = capsys.readouterr()
    assert "broken.png" in printed.err
    with (tmp_path / "captions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["caption"] for row in rows} <= set(SENTENCES[:3])
    assert f"captions for {len({row['image'] for row in rows})} of 4 photos" in printed.out
    assert rows
    assert len(load(tmp_path).split("train")) == len({row["image"] for row in rows})
    assert main([*command[:-1], "0", "--model", str(tiny_bundle.folder)]) == 1


class Said:
    """What a stand-in for the model says."""

    def __init__(self, text):
        self.text = text
