"""What the lesson on decoding shows, held to the compiled search that writes all captions."""

import re

import numpy as np
import pytest
from lesson_decoders import KINDS, LENGTH, make, photos, plain

from captioning.config import DecodingConfig
from captioning.decoding import CaptionSearch, read_hypotheses, read_tree
from captioning.decoding.hypotheses import NEG_INF
from captioning.errors import ConfigError
from captioning.inference.keras_decoder import KerasDecoder
from captioning.lessons.decoding import (
    Duel,
    beam_search,
    draw_sentence,
    draw_word,
    duel,
    softmax_formula,
    temper,
)
from captioning.lessons.numpy_decoder import write_greedily
from captioning.metrics import rouge_l
from captioning.vocabulary import SPECIAL, Vocabulary

VOCABULARY = Vocabulary([*SPECIAL, *(f"w{n}" for n in range(16))])


@pytest.fixture(scope="module", params=KINDS)
def decoder(request):
    return make(request.param)


@pytest.fixture(scope="module")
def ours(decoder):
    return plain(decoder)


@pytest.fixture(scope="module")
def features():
    return photos(4)


@pytest.fixture(scope="module")
def search(decoder):
    return CaptionSearch(KerasDecoder(decoder))


# Beam search


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_plain_search_finds_what_the_compiled_one_finds(search, ours, features, width):
    for photo in features:
        mine = beam_search(ours, ours.remember(photo[None]), width)
        theirs = search.trace(photo[None], DecodingConfig(beam_width=width))
        alive = theirs.scores > NEG_INF / 2
        np.testing.assert_array_equal(mine.scores > NEG_INF / 2, alive)
        np.testing.assert_array_equal(mine.tokens[alive], theirs.tokens[alive])
        np.testing.assert_array_equal(mine.parents[alive], theirs.parents[alive])
        np.testing.assert_allclose(mine.scores[alive], theirs.scores[alive], atol=1e-3)
        for penalty in (0.0, 0.7):
            best = [
                [h.ids for h in read_hypotheses(trace, length_penalty=penalty)[0]]
                for trace in (mine, theirs)
            ]
            assert best[0] == best[1]
            trees = [
                [(n.step, n.token, n.fate, n.parent) for n in read_tree(t, length_penalty=penalty)]
                for t in (mine, theirs)
            ]
            assert trees[0] == trees[1]


def test_one_beam_is_greedy(ours, features):
    memory = ours.remember(features[:1])
    best = read_hypotheses(beam_search(ours, memory, 1), length_penalty=0.0)[0][0]
    written = write_greedily(ours, memory)
    assert best.ids == written.ids
    assert best.log_prob + (best.end_log_prob or 0) == pytest.approx(written.log_prob, abs=1e-5)


# Temperature, top-k, top-p


LOGITS = np.log(np.array([0.5, 0.2, 0.15, 0.1, 0.05]))


def test_temperature_one_and_no_cut_change_nothing():
    chances = temper(LOGITS)
    np.testing.assert_allclose(chances.after, [0.5, 0.2, 0.15, 0.1, 0.05])
    assert chances.kept == 5


def test_temperature_is_a_power_of_the_probability():
    chances = temper(LOGITS, temperature=0.5)
    squares = np.exp(LOGITS) ** 2
    np.testing.assert_allclose(chances.heated, squares / squares.sum())
    np.testing.assert_allclose(chances.before, np.exp(LOGITS))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"top_k": 2}, [0.5, 0.2]),
        ({"top_p": 0.6}, [0.5, 0.2]),
        ({"top_p": 0.7}, [0.5, 0.2]),
        ({"top_p": 0.75}, [0.5, 0.2, 0.15]),
        ({"top_p": 0.01}, [0.5]),
        ({"top_k": 3, "top_p": 0.6}, [0.5, 0.2]),
        ({"top_k": 1, "top_p": 0.9}, [0.5]),
        ({"top_k": 99}, [0.5, 0.2, 0.15, 0.1, 0.05]),
    ],
)
def test_the_cut_keeps_the_likeliest_and_shares_out_the_rest(settings, kept):
    chances = temper(LOGITS, **settings)
    assert chances.kept == len(kept)
    np.testing.assert_allclose(chances.after[: len(kept)], np.array(kept) / sum(kept))
    assert not chances.after[len(kept) :].any()
    assert chances.after.sum() == pytest.approx(1)


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"top_k": -1}, {"top_p": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match="temperature must be above 0"):
        temper(LOGITS, **settings)


def test_a_word_is_drawn_as_often_as_its_chance_says():
    chances = temper(LOGITS[[3, 0, 4, 1, 2]], top_k=3)
    drawn = [draw_word(chances, (n + 0.5) / 8500) for n in range(8500)]
    counts = np.bincount(drawn, minlength=5)
    assert counts.tolist() == [0, 5000, 0, 2000, 1500]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.6}, {"top_k": 3}, {"top_p": 0.7}, {"temperature": 1.5, "top_k": 6}],
)
def test_drawn_sentences_are_those_of_the_compiled_search(search, ours, features, settings):
    config = DecodingConfig(strategy="sample", samples=3, seed=11, **settings)
    numbers = np.random.default_rng(11).random((LENGTH, 1, 3)).astype(np.float32)
    memory = ours.remember(features[:1])
    mine = {draw_sentence(ours, memory, numbers[:, 0, place], **settings).ids for place in range(3)}
    assert mine == {h.ids for h in search.search(features[:1], config)[0]}


NUMBER = re.compile(r"\d+\.\d{3}|-\d+\.\d{3}")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_numbers_of_the_softmax_follow_from_the_logits(ours, features, temperature):
    memory = ours.remember(features[:1])
    step = ours.step(np.array([2]), ours.begin(memory), memory)
    logits = np.where(step.log_probs[0] < -1e8, -1e9, step.logits[0])
    token = int(np.argsort(-logits)[1])
    own, top, heat, _, _, above, below, share = map(
        float, NUMBER.findall(softmax_formula(logits, token, temperature))
    )
    assert own == pytest.approx(logits[token], abs=5.1e-4)
    assert top == pytest.approx(logits.max(), abs=5.1e-4)
    assert heat == temperature
    assert above == pytest.approx(np.exp((own - top) / heat), abs=2e-3)
    assert below == pytest.approx(np.exp((logits - logits.max()) / heat).sum(), abs=5.1e-4)
    expected = temper(step.log_probs[0], temperature=temperature)
    assert share == pytest.approx(expected.heated[list(expected.ids).index(token)], abs=5.1e-4)


# Where greedy loses


def test_a_duel_returns_sentences_probabilities_and_scores(ours, features):
    found = []
    for photo in features:
        memory = ours.remember(photo[None])
        greedy = write_greedily(ours, memory)
        references = (VOCABULARY.decode(greedy.ids) or "w1", "w2 w3 w1")
        result = duel(ours, memory, VOCABULARY, width=4, references=references)
        best = read_hypotheses(beam_search(ours, memory, 4), length_penalty=0.0)[0][0]
        assert result.greedy == VOCABULARY.decode(greedy.ids)
        assert result.beam == VOCABULARY.decode(best.ids)
        assert result.greedy_log_prob == pytest.approx(greedy.log_prob)
        assert result.beam_log_prob == pytest.approx(best.score(0.0))
        truth = [reference.split() for reference in references]
        expected = 100 * rouge_l([result.beam.split()], [truth]).mean
        assert result.beam_score == pytest.approx(expected)
        found.append(result)
    assert any(result.likelier for result in found)
    assert not any(result.better for result in found)  # greedy wrote the first reference itself


def test_without_references_nothing_is_scored(ours, features):
    result = duel(ours, ours.remember(features[:1]), VOCABULARY, width=2)
    assert result.greedy_score is None and result.beam_score is None
    assert not result.better


def test_what_counts_as_likelier_and_better():
    assert Duel("a", "b", -2.0, -1.0, 10.0, 20.0).likelier
    assert Duel("a", "b", -2.0, -1.0, 10.0, 20.0).better
    assert not Duel("a", "a", -1.0, -1.0, 10.0, 10.0).likelier
    assert not Duel("a", "b", -1.0, -2.0, 20.0, 10.0).better
