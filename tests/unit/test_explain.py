"""Rivals, maps and evidence, each recomputed by the uncompiled decoder."""

import dataclasses
import threading

import numpy as np
import pytest
from PIL import Image

from captioning.backend import to_numpy
from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.decoding import read_hypotheses
from captioning.errors import QueryError
from captioning.explain import (
    attention_maps,
    occlusion_maps,
    on_photo,
    rivals,
    seen_or_guessed,
    spotlight,
)
from captioning.inference.keras_decoder import KerasDecoder
from captioning.vocabulary import BOS, EOS, PAD, UNK


@pytest.fixture(scope="module")
def captioner(tiny_bundle, photo):
    """A model of random weights to which photos look different."""
    loaded = Captioner.load(tiny_bundle.folder)
    seen = loaded.encode([photo.rotate(45 * i) for i in range(8)])
    decoder = loaded.keras_decoder
    decoder.scaling.adapt(seen.mean(axis=(0, 1)), seen.std(axis=(0, 1)) + 1e-6)
    return Captioner(loaded.bundle, KerasDecoder(decoder), loaded.encoder)


@pytest.fixture(scope="module")
def features(captioner, photo):
    return captioner.encode([photo])


@pytest.fixture(scope="module")
def caption(captioner, features):
    return captioner.describe(features, DecodingConfig(beam_width=4, prefix=("the",)))[0]


def log_probs_of(captioner, features, sentence):
    """All log-probabilities at each place, `(T, V)`, from the decoder's plain call."""
    ids = captioner.bundle.vocabulary.encode(sentence)
    logits = to_numpy(captioner.keras_decoder(features, np.array([[[BOS, *ids]]], np.int32)))[0, 0]
    logits = logits.astype(np.float64)
    logits[:, [PAD, UNK, BOS]] = -np.inf
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True)), [*ids, EOS]


def test_a_sentence_read_back_has_the_probabilities_it_was_written_with(
    captioner, features, caption
):
    assert caption.words
    found = captioner.read(features, caption.text).of_words[0]
    np.testing.assert_allclose(found[:-1], [w.log_prob for w in caption.words], atol=1e-4)


@pytest.mark.parametrize("top", [1, 3, 10])
def test_rivals_are_the_likeliest_words_with_their_probabilities(top, captioner, features, caption):
    reading = captioner.read(features, caption.text)
    vocabulary = captioner.bundle.vocabulary
    log_probs, ids = log_probs_of(captioner, features, caption.text)
    found = rivals(reading, vocabulary, top=top)
    assert len(found) == len(ids)
    for place, (listed, token) in enumerate(zip(found, ids, strict=True)):
        order = np.argsort(-log_probs[place])[:top]
        expected = [None if i == EOS else vocabulary.words[i] for i in order]
        assert [rival.word for rival in listed[:top]] == expected
        assert [rival.rank for rival in listed[:top]] == list(range(1, top + 1))
        np.testing.assert_allclose(
            [r.log_prob for r in listed[:top]], log_probs[place][order], atol=1e-4
        )
        (chosen,) = [rival for rival in listed if rival.chosen]
        assert chosen.word == (None if token == EOS else vocabulary.words[token])
        assert chosen.rank == int((log_probs[place] > log_probs[place][token]).sum()) + 1


def test_choosing_a_rival_rewrites_the_rest(captioner, features, caption):
    first = rivals(captioner.read(features, caption.text), captioner.bundle.vocabulary)[0]
    rival = next(r for r in first if not r.chosen and r.word)
    again = captioner.describe(features, DecodingConfig(prefix=(rival.word,)))[0]
    assert again.words[0].word == rival.word
    assert again.words[0].log_prob == pytest.approx(rival.log_prob, abs=1e-4)


def test_attention_maps_are_those_of_each_step(captioner, features, caption):
    reading = captioner.read(features, caption.text)
    grid = captioner.encoder.grid
    found = attention_maps(reading, grid)
    _, ids = log_probs_of(captioner, features, caption.text)
    decoder = captioner.keras_decoder
    memory = decoder.remember(features)
    state = decoder.initial_state(memory, 1)
    for place, word in enumerate([BOS, *ids[:-1]]):
        _, state, weights = decoder.step(np.array([[word]], np.int32), state, memory)
        np.testing.assert_allclose(found[place].ravel(), to_numpy(weights)[0, 0], atol=1e-5)
    assert found.shape == (len(ids), *grid)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 1.0, atol=1e-5)


def test_a_model_without_attention_says_so(captioner, features, caption):
    reading = dataclasses.replace(captioner.read(features, caption.text), attention=None)
    with pytest.raises(QueryError, match="no attention"):
        attention_maps(reading, captioner.encoder.grid)


def test_a_blank_photo_is_all_guessed(captioner, caption):
    grey = Image.new("RGB", (70, 30), (127, 127, 127))
    for evidence in seen_or_guessed(captioner, captioner.encode([grey]), caption.text):
        assert evidence.gain == pytest.approx(0.0, abs=1e-5)


def test_evidence_is_the_difference_of_two_readings(captioner, features, caption):
    found = seen_or_guessed(captioner, features, caption.text)
    blank = captioner.encode([Image.new("RGB", (32, 32), (127, 127, 127))])
    both = []
    for given in (features, blank):
        log_probs, ids = log_probs_of(captioner, given, caption.text)
        both.append(log_probs[np.arange(len(ids)), ids])
    np.testing.assert_allclose([e.gain for e in found], both[0] - both[1], atol=1e-4)
    assert [e.word for e in found] == [*caption.text.split(), None]
    assert max(abs(e.gain) for e in found) > 0.01


@pytest.mark.parametrize("blocks", [2, 5])
def test_occlusion_is_what_a_covered_block_costs(blocks, captioner, photo, features, caption):
    found = occlusion_maps(captioner, photo, features, caption.text, blocks=blocks)
    square = captioner.encoder.pixels(photo)
    whole, ids = log_probs_of(captioner, features, caption.text)
    assert found.shape == (len(ids), blocks, blocks)
    assert abs(found).max() > 0.01
    edges = [round(i * 32 / blocks) for i in range(blocks + 1)]
    for row, column in [(0, 0), (blocks - 1, 0), (1, blocks - 1)]:
        covered = Image.fromarray(square.copy())
        colour = tuple(int(c) for c in square.reshape(-1, 3).mean(0).round())
        box = (edges[column], edges[row], edges[column + 1], edges[row + 1])
        covered.paste(colour, box)
        parts, _ = log_probs_of(captioner, captioner.encode([covered]), caption.text)
        chosen = np.arange(len(ids)), ids
        lost = whole[chosen] - parts[chosen]
        np.testing.assert_allclose(found[:, row, column], lost, atol=1e-4)


def test_a_uniform_photo_depends_on_no_part(captioner):
    even = Image.new("RGB", (50, 50), (40, 90, 160))
    features = captioner.encode([even])
    text = captioner.describe(features)[0].text
    found = occlusion_maps(captioner, even, features, text, blocks=2)
    np.testing.assert_allclose(found, 0.0, atol=1e-5)


def test_a_map_is_laid_on_the_photo_upright_and_unstretched(photo):
    values = np.zeros((4, 4))
    values[0, 3] = 1.0
    light = on_photo(values, photo.size)
    assert light.shape == (photo.height, photo.width)
    assert light.min() == 0.0
    assert light.max() == pytest.approx(1.0, abs=1e-3)
    top, right = np.unravel_index(light.argmax(), light.shape)
    assert top < photo.height / 4 < 3 * photo.width / 4 < right
    shown = spotlight(photo, values)
    assert shown.size == photo.size
    darker = np.asarray(photo, int) - np.asarray(shown, int)
    assert darker.min() >= 0
    assert darker[-1, 0].sum() > 0
    assert not darker[top, right].any()
    assert np.array_equal(spotlight(photo, np.full((4, 4), 0.25)), photo)


def test_a_sentence_with_an_unknown_word_or_too_many_is_refused(captioner, features):
    with pytest.raises(QueryError, match="'zebra'"):
        captioner.read(features, "a red zebra")
    with pytest.raises(QueryError, match="9 words.*at most 8"):
        captioner.read(features, "red " * 9)


def counted(captioner, monkeypatch):
    calls, encode = [], captioner.encoder.encode
    monkeypatch.setattr(captioner.encoder, "encode", lambda p: calls.append(len(p)) or encode(p))
    return calls


def test_a_photo_is_encoded_once_whatever_is_asked_about_it(tiny_bundle, photo, monkeypatch):
    captioner = Captioner.load(tiny_bundle.folder)
    calls = counted(captioner, monkeypatch)
    features = captioner.encode([photo])
    for width in (1, 2, 3):
        caption = captioner.describe(features, DecodingConfig(beam_width=width))[0]
    captioner.describe(features, DecodingConfig(banned_words=("red",), no_repeat=2))
    rivals(captioner.read(features, caption.text), captioner.bundle.vocabulary)
    assert calls == [1]
    for _ in range(2):
        seen_or_guessed(captioner, features, caption.text)
    assert calls == [1, 1]  # the blank photo, once
    occlusion_maps(captioner, photo, features, caption.text, blocks=6)
    assert calls == [1, 1, 18, 18]


def test_another_length_penalty_asks_neither_encoder_nor_decoder(captioner, features, monkeypatch):
    trace = captioner.trace(features, DecodingConfig(beam_width=8))
    for part in ("_search", "decoder"):
        monkeypatch.setattr(captioner, part, None)
    monkeypatch.setattr(type(captioner), "encoder", None)
    found = {}
    for penalty in (0.0, 2.0):
        decoding = DecodingConfig(beam_width=8, length_penalty=penalty)
        (caption,) = captioner.rank(trace, decoding)
        best = read_hypotheses(trace, length_penalty=penalty)[0][0]
        assert caption.text == captioner.bundle.vocabulary.decode(best.ids)
        assert len(caption.alternatives) == 7
        found[penalty] = len(caption.words)
    assert found[0.0] <= found[2.0]


def test_eight_at_once_say_what_one_says(captioner, photo):
    photos = [photo.rotate(20 * i) for i in range(8)]
    alone = [captioner.caption(p).text for p in photos]
    found = [None] * 8

    def work(i):
        found[i] = captioner.caption(photos[i]).text

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone
