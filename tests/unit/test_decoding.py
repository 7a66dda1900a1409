"""Greedy, beam and sampling, held to plain loops written here."""

import numpy as np
import pytest
from tiny_decoders import KINDS, D, R, TinyDecoder

from captioning.config import DecodingConfig
from captioning.decoding import (
    CaptionSearch,
    read_hypotheses,
    read_sentence,
    read_tree,
    sentence_likelihoods,
)
from captioning.decoding.hypotheses import BEST, CUT, ENDED, NEG_INF
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary

B, V, LENGTH = 3, 20, 7
NEVER_SAID = [PAD, UNK, BOS]


def make(kind="attention", *, words=V, length=LENGTH, seed=0, bias=()):
    """A decoder whose sentences differ by photo and end at different lengths."""
    return TinyDecoder(kind=kind, words=words, length=length, seed=seed, bias=bias)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(size=(B, R, D)).astype(np.float32)


@pytest.fixture(scope="module")
def decoder():
    return make(seed=2, bias={EOS: 2.0})


@pytest.fixture(scope="module")
def search(decoder):
    return CaptionSearch(decoder.model)


def next_log_probs(decoder, photo, *begun):
    """Log-probabilities `(beginnings, V)` of the word after each beginning; all are as long."""
    return decoder.log_probs(photo, begun)[:, -1]


def greedy_by_hand(decoder, photo):
    words = []
    while len(words) < decoder.config.max_length:
        word = int(next_log_probs(decoder, photo, words).argmax())
        if word == EOS:
            break
        words.append(word)
    return tuple(words)


def beam_by_hand(decoder, photo, width):
    """Every sentence a beam search ends with, and its summed log-probability, end included."""
    begun, ended = {(): 0.0}, {}
    for step in range(decoder.config.max_length):
        coming = next_log_probs(decoder, photo, *begun)
        longer = {
            (*words, word): begun[words] + value
            for words, values in zip(begun, coming, strict=True)
            for word, value in enumerate(values)
            if word not in NEVER_SAID
        }
        best = sorted(longer, key=longer.get, reverse=True)[: width - len(ended)]
        last = step == decoder.config.max_length - 1
        ended |= {words: longer[words] for words in best if words[-1] == EOS or last}
        begun = {words: longer[words] for words in best if words not in ended}
        if not begun:
            break
    return ended


def whole(hypothesis):
    """Ids with the end mark, if the sentence ended by itself."""
    return (*hypothesis.ids, *([EOS] if hypothesis.end_log_prob is not None else []))


def sum_of(hypothesis):
    return hypothesis.log_prob + (hypothesis.end_log_prob or 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_is_the_plain_loop(kind, features):
    for seed in (0, 3):
        decoder = make(kind, seed=seed)
        search = CaptionSearch(decoder.model)
        found = search.search(features, DecodingConfig(beam_width=1))
        assert all(len(hypotheses) == 1 for hypotheses in found)
        assert [h[0].ids for h in found] == [greedy_by_hand(decoder, photo) for photo in features]


@pytest.mark.parametrize("width", [3, 6])
def test_beam_search_is_the_plain_loop(width, decoder, search, features):
    found = search.search(features, DecodingConfig(beam_width=width))
    for photo, hypotheses in zip(features, found, strict=True):
        expected = beam_by_hand(decoder, photo, width)
        assert {whole(h) for h in hypotheses} == set(expected)
        for hypothesis in hypotheses:
            assert sum_of(hypothesis) == pytest.approx(expected[whole(hypothesis)], abs=1e-4)


def test_a_wide_beam_finds_the_best_of_all_sentences(features):
    """Two words and an end mark, three steps: 15 sentences, all within 20 beams."""
    decoder = make(words=6, length=3, seed=2)
    every = {(): 0.0}
    for _ in range(3):
        begun = [words for words in every if EOS not in words]
        coming = next_log_probs(decoder, features[0], *begun)
        for words, values in zip(begun, coming, strict=True):
            total = every.pop(words)
            every |= {(*words, word): total + values[word] for word in (EOS, 4, 5)}
    assert len(every) == 15
    search = CaptionSearch(decoder.model)
    for penalty in (0.0, 0.7, 2.0):
        scores = {words: total / len(words) ** penalty for words, total in every.items()}
        config = DecodingConfig(beam_width=20, length_penalty=penalty)
        (found,) = search.search(features[:1], config)
        assert [whole(h) for h in found] == sorted(scores, key=scores.get, reverse=True)
        for hypothesis in found:
            expected = scores[whole(hypothesis)]
            assert hypothesis.score(penalty) == pytest.approx(expected, abs=1e-4)
    probability = sum(np.exp(sum_of(h)) for h in found)
    assert probability == pytest.approx(1.0, abs=1e-4)  # one of them must be said


def test_sentences_are_ranked_by_score_and_can_be_ranked_again(search, features):
    trace = search.trace(features, DecodingConfig(beam_width=6))
    orders = []
    for length_penalty in (0.0, 2.0):
        for hypotheses in read_hypotheses(trace, length_penalty=length_penalty):
            scores = [h.score(length_penalty) for h in hypotheses]
            assert scores == sorted(scores, reverse=True)
            assert len(hypotheses) == 6
            orders.append([h.ids for h in hypotheses])
    assert orders[:B] != orders[B:]
    assert [set(o) for o in orders[:B]] == [set(o) for o in orders[B:]]


def test_probabilities_are_those_of_teacher_forcing(decoder, search, features):
    for config in (DecodingConfig(beam_width=6), DecodingConfig(strategy="sample", samples=5)):
        for photo, hypotheses in zip(features, search.search(features, config), strict=True):
            for hypothesis in hypotheses:
                sentence = whole(hypothesis)
                read = decoder.log_probs(photo, [sentence])[0]
                expected = read[np.arange(len(sentence)), sentence]
                found = [*hypothesis.log_probs, hypothesis.end_log_prob][: len(sentence)]
                np.testing.assert_allclose(found, expected, atol=1e-4)
                assert hypothesis.log_prob == pytest.approx(sum(hypothesis.log_probs))


def test_every_way_of_ending_is_tried_here(search, features):
    """Sentences of several lengths, cut ones and ended ones: else the tests above say little."""
    found = search.search(features, DecodingConfig(beam_width=6))
    hypotheses = [h for of_photo in found for h in of_photo]
    assert len({len(h.ids) for h in hypotheses}) >= 3
    assert {h.end_log_prob is None for h in hypotheses} == {True, False}


STRATEGIES = [
    DecodingConfig(beam_width=1),
    DecodingConfig(beam_width=6),
    DecodingConfig(strategy="sample", samples=5, temperature=3.0),
    DecodingConfig(strategy="sample", samples=5, top_k=18, top_p=0.99),
]
NAMES = ("greedy", "beam", "hot", "narrow")


@pytest.fixture(scope="module")
def tempted():
    """A search whose decoder would say nothing but what cannot be said."""
    return CaptionSearch(make(bias=dict.fromkeys(NEVER_SAID, 60.0)).model)


@pytest.mark.parametrize("config", STRATEGIES, ids=NAMES)
def test_pad_bos_and_unk_are_never_written(config, tempted, features):
    for hypotheses in tempted.search(features, config):
        for hypothesis in hypotheses:
            assert min(hypothesis.ids, default=EOS + 1) > EOS
            assert all(np.isfinite(hypothesis.log_probs))
            assert hypothesis.log_prob > -100


@pytest.mark.parametrize("draw", [0.0, 1 - 2**-24, 1 - 2**-30])
@pytest.mark.parametrize("temperature", [0.01, 0.9, 1.0, 1.3, 10.0])
def test_not_even_by_the_rarest_draw(draw, temperature, search, features, monkeypatch):
    class Rare:
        def __init__(self, seed=None):
            pass

        def random(self, shape, dtype=np.float64):
            return np.full(shape, draw, dtype)

    with monkeypatch.context() as patched:
        patched.setattr(np.random, "default_rng", Rare)
        config = DecodingConfig(strategy="sample", samples=5, temperature=temperature)
        found = search.search(features, config)
    assert min(min(h[0].ids, default=EOS + 1) for h in found) > EOS


@pytest.mark.parametrize("config", STRATEGIES, ids=NAMES)
def test_a_batch_says_what_its_photos_say_alone(config, search, features):
    together = search.search(features, config)
    for b in range(B):
        (alone,) = search.search(features[b : b + 1], config)
        assert [h.ids for h in alone] == [h.ids for h in together[b]]
        np.testing.assert_allclose(
            [sum_of(h) for h in alone], [sum_of(h) for h in together[b]], atol=1e-4
        )


def test_photos_may_come_in_any_float_type(search, features):
    config = DecodingConfig(beam_width=3)
    rounded = features.astype(np.float16)
    both = search.search(rounded, config), search.search(rounded.astype(np.float64), config)
    assert both[0] == both[1]


@pytest.mark.parametrize(
    "settings",
    [{"top_k": 1}, {"temperature": 0.01}, {"top_p": 0.01}, {"top_k": 1, "temperature": 10.0}],
    ids=str,
)
def test_the_narrowest_draw_is_greedy(settings, search, features):
    greedy = [h[0].ids for h in search.search(features, DecodingConfig(beam_width=1))]
    for seed in range(3):
        config = DecodingConfig(strategy="sample", samples=5, seed=seed, **settings)
        for hypotheses, words in zip(search.search(features, config), greedy, strict=True):
            assert {h.ids for h in hypotheses} == {words}


def test_the_same_seed_draws_the_same_and_another_something_else(search, features):
    def drawn(seed):
        config = DecodingConfig(strategy="sample", samples=5, seed=seed)
        return tuple(h.ids for hypotheses in search.search(features, config) for h in hypotheses)

    assert drawn(3) == drawn(3)
    assert len({drawn(seed) for seed in range(8)}) == 8
    assert len(drawn(0)) == 5 * B
    assert len(set(drawn(0))) > 5


def first_words(photo, *, draws, **settings):
    """How often each word (or the end) is drawn first by the fixture `decoder`."""
    search = CaptionSearch(make(seed=2, bias={EOS: 2.0}, length=2).model)
    counts = np.zeros(V)
    for seed in range(draws // 20):
        config = DecodingConfig(strategy="sample", samples=20, seed=seed, **settings)
        for hypothesis in search.search(photo[None], config)[0]:
            counts[whole(hypothesis)[0]] += 1
    return counts


def chi_square(counts, probabilities):
    expected = counts.sum() * probabilities
    seen = expected > 0
    assert not counts[~seen].any()
    return (((counts - expected) ** 2)[seen] / expected[seen]).sum()


@pytest.mark.parametrize(
    ("settings", "kept"),
    [({}, V), ({"temperature": 2.0}, V), ({"top_k": 4}, 4), ({"temperature": 3.0, "top_k": 6}, 6)],
    ids=str,
)
def test_words_are_drawn_as_often_as_they_are_likely(settings, kept, decoder, features):
    heated = np.exp(next_log_probs(decoder, features[0], [])[0] / settings.get("temperature", 1.0))
    heated[np.argsort(-heated)[kept:]] = 0.0
    counts = first_words(features[0], draws=2000, **settings)
    # At most 16 degrees of freedom: 45 is exceeded once in 7,000 fair trials.
    assert chi_square(counts, heated / heated.sum()) < 45


def test_top_p_keeps_the_fewest_words_that_make_up_the_share(decoder, features):
    probabilities = np.exp(next_log_probs(decoder, features[0], [])[0])
    order = np.argsort(-probabilities)
    for top_p in (0.3, 0.6, 0.9):
        count = int((np.cumsum(probabilities[order]) < top_p).sum()) + 1
        counts = first_words(features[0], draws=1000, top_p=top_p)
        likely = np.where(np.isin(np.arange(V), order[:count]), probabilities, 0.0)
        assert chi_square(counts, likely / likely.sum()) < 45


def steps_taken(decoder, features, config, monkeypatch):
    """How often a search asks for a step of the model, and its trace."""
    model, calls = decoder.model, []
    step = model.step
    monkeypatch.setattr(model, "step", lambda *a, **k: calls.append(1) or step(*a, **k))
    return CaptionSearch(model).trace(features, config), len(calls)


@pytest.mark.parametrize("width", [1, 4])
def test_a_search_stops_when_all_beams_have_ended(width, features, monkeypatch):
    config = DecodingConfig(beam_width=width)
    eager = make(bias={EOS: 60.0}, length=20)
    trace, steps = steps_taken(eager, features, config, monkeypatch)
    # Once the end is all but certain every further beam must still say one word first.
    assert steps == (1 if width == 1 else 2)
    assert (trace.scores > NEG_INF / 2).any(axis=(1, 2)).sum() == steps
    silent = make(bias={EOS: -60.0}, length=20)
    trace, steps = steps_taken(silent, features, config, monkeypatch)
    assert steps == 20
    assert len(trace.tokens) == 20


def test_no_sentence_is_longer_than_the_longest(features):
    silent = CaptionSearch(make(bias={EOS: -60.0}).model)
    for config in (DecodingConfig(beam_width=3), DecodingConfig(strategy="sample", samples=3)):
        for hypotheses in silent.search(features, config):
            assert [len(h.ids) for h in hypotheses] == [LENGTH] * 3
            assert all(h.end_log_prob is None for h in hypotheses)


def test_a_photo_without_words_has_the_empty_sentence(features):
    found = CaptionSearch(make(bias={EOS: 60.0}).model).search(
        features, DecodingConfig(beam_width=1)
    )
    for (hypothesis,) in found:
        assert hypothesis.ids == ()
        assert hypothesis.log_prob == 0.0
        assert hypothesis.end_log_prob == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("wishes", [{}, {"required_words": ("w3", "w9")}], ids=str)
def test_the_tree_holds_every_beam_and_what_was_cut(penalty, wishes, decoder, features):
    vocabulary = Vocabulary([*SPECIAL, *(f"w{n}" for n in range(V - len(SPECIAL)))])
    search = CaptionSearch(decoder.model, vocabulary=vocabulary)
    trace = search.trace(features[:1], DecodingConfig(beam_width=3, **wishes))
    nodes, near = read_tree(trace, length_penalty=penalty, cut=2), trace.near_scores
    assert sum(node.fate != CUT for node in nodes) == int((trace.scores > NEG_INF / 2).sum())
    for place, node in enumerate(nodes):
        before = nodes[node.parent] if node.parent is not None else None
        assert (before is None) == (node.step == 0)
        if before is not None:
            assert node.parent < place
            assert before.step == node.step - 1
            assert before.fate != CUT
            assert before.token != EOS
        assert node.total == pytest.approx((before.total if before else 0) + node.log_prob)
        assert node.log_prob <= 1e-5
    for step in {node.step for node in nodes}:
        of_step = [n for n in nodes if n.step == step]
        cut = [n.total for n in of_step if n.fate == CUT]
        assert len(cut) <= 2
        kept = [n.total for n in of_step if n.fate != CUT]
        assert kept == sorted(kept, reverse=True)
        if not wishes:
            assert max(cut, default=-99) <= min(kept) + 1e-4
            missed = sorted(near[step, 0][near[step, 0] > NEG_INF / 2], reverse=True)
            assert cut == pytest.approx(missed[:2])
    best = read_hypotheses(trace, length_penalty=penalty)[0][0]
    assert [node.token for node in nodes if node.fate == BEST] == list(whole(best))
    assert all(n.token == EOS for n in nodes if n.fate == ENDED)


def test_given_sentences_are_read_as_in_the_plain_loop(decoder, features):
    longer = tuple(range(4, 4 + LENGTH + 2))
    sentences = [(5, 9, 4), (7,), (6, UNK, 8), longer[:LENGTH], longer]
    found = sentence_likelihoods(decoder.model, features, sentences)
    assert found.shape == (B, 5, LENGTH + 1)
    for photo, likelihoods in enumerate(found):
        for words, row in zip(sentences, likelihoods, strict=True):
            scored = (*words, EOS) if len(words) <= LENGTH else words[:LENGTH]
            plain = decoder.log_probs(features[photo], [scored])[0]
            expected = np.zeros(LENGTH + 1)
            for place, word in enumerate(scored):
                expected[place] = 0.0 if word == UNK else plain[place, word]
            np.testing.assert_allclose(row, expected, atol=1e-4)
    read = read_sentence(decoder.model, features, sentences[0])
    assert read.ids.tolist() == [*sentences[0], EOS]
    np.testing.assert_allclose(read.of_words, found[:, 0, :4], atol=1e-5)
    assert read.attention.shape == (B, 4, R)
    np.testing.assert_allclose(read.attention.sum(axis=2), 1.0, atol=1e-4)
