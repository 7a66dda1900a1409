"""Words that must or must not occur, a given beginning, no repetition: held to enumeration."""

import itertools

import numpy as np
import pytest
from tiny_decoders import D, R, TinyDecoder

from captioning.config import DecodingConfig
from captioning.decoding import CaptionSearch, read_hypotheses
from captioning.decoding.hypotheses import NEG_INF
from captioning.decoding.steering import read_steering
from captioning.errors import ConfigError
from captioning.vocabulary import EOS, PAD, SPECIAL, Vocabulary

LENGTH = 7
WORDS = "ant bee cat dog emu fox gnu hen".split()
VOCABULARY = Vocabulary([*SPECIAL, *WORDS])
BEAM = DecodingConfig(beam_width=3)
SAMPLE = DecodingConfig(strategy="sample", samples=4, temperature=2.0)


def make(words=WORDS, *, length=LENGTH, seed=0):
    return TinyDecoder(words=len(SPECIAL) + len(words), length=length, seed=seed)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(size=(3, R, D)).astype(np.float32)


@pytest.fixture(scope="module")
def decoder():
    return make()


@pytest.fixture(scope="module")
def search(decoder):
    return CaptionSearch(decoder.model, vocabulary=VOCABULARY)


def said(hypothesis):
    return [VOCABULARY.words[i] for i in hypothesis.ids]


def judged(decoder, photo, hypothesis):
    """The model's own log-probabilities of a sentence's words, by reading it whole."""
    ids = hypothesis.ids
    return decoder.log_probs(photo, [ids])[0, np.arange(len(ids)), ids]


WISHES = [
    {"banned_words": ("ant", "cat", "hen")},
    {"prefix": ("gnu", "gnu", "bee")},
    {"no_repeat": 1},
    {"no_repeat": 2},
    {"no_repeat": 3, "banned_words": ("fox",), "prefix": ("dog",)},
]
MUST = [
    {"required_words": ("emu",)},
    {"required_words": ("emu", "ant")},
    {"required_words": ("emu", "ant", "fox"), "banned_words": ("cat",), "no_repeat": 2},
    {"required_words": ("emu", "gnu"), "prefix": ("gnu", "hen")},
]


def kept(wishes, words):
    """Whether a sentence keeps to the wishes, message in plain Python."""
    rows = [
        tuple(words[i : i + wishes["no_repeat"]])
        for i in range(len(words) - wishes.get("no_repeat", 0) + 1)
        if wishes.get("no_repeat")
    ]
    prefix = list(wishes.get("prefix", ()))
    return (
        words[: len(prefix)] == prefix
        and not set(words) & set(wishes.get("banned_words", ()))
        and set(words) >= set(wishes.get("required_words", ()))
        and len(rows) == len(set(rows))
    )


@pytest.mark.parametrize("wishes", [*WISHES, *MUST], ids=str)
@pytest.mark.parametrize("width", [1, 4])
def test_a_beam_search_keeps_every_wish(wishes, width, decoder, search, features):
    config = BEAM.replace(beam_width=width, **wishes)
    for photo, hypotheses in zip(features, search.search(features, config), strict=True):
        assert len(hypotheses) == width
        for hypothesis in hypotheses:
            assert kept(wishes, said(hypothesis)), said(hypothesis)
            expected = judged(decoder, photo, hypothesis)
            np.testing.assert_allclose(hypothesis.log_probs, expected, atol=1e-4)


@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_drawn_sentences_keep_every_wish(wishes, decoder, search, features):
    for seed in range(3):
        config = SAMPLE.replace(seed=seed, **wishes)
        for photo, hypotheses in zip(features, search.search(features, config), strict=True):
            assert len(hypotheses) == 4
            for hypothesis in hypotheses:
                assert kept(wishes, said(hypothesis)), said(hypothesis)
                expected = judged(decoder, photo, hypothesis)
                np.testing.assert_allclose(hypothesis.log_probs, expected, atol=1e-4)


def test_without_wishes_these_sentences_break_them(search, features):
    """Else the tests above would say little."""
    free = [said(h) for photo in search.search(features, BEAM.replace(beam_width=5)) for h in photo]
    for wishes in [*WISHES, *MUST]:
        assert not all(kept(wishes, words) for words in free), wishes


def every_sentence(decoder, photo, words, length):
    """All sentences of up to `length` words with their summed log-probability, end included."""
    counts = range(length + 1)
    ids = [i for n in counts for i in itertools.product(range(4, 4 + words), repeat=n)]
    sentences = sorted({(*i, EOS)[:length] for i in ids})
    padded = np.array([(*s, *[PAD] * (length - len(s))) for s in sentences])
    log_probs = decoder.log_probs(photo, padded[:, :-1])
    said = np.take_along_axis(log_probs, padded[..., None], axis=-1)[..., 0]
    totals = np.where(padded == PAD, 0.0, said).sum(axis=1)
    return dict(zip(sentences, totals, strict=True))


@pytest.mark.parametrize("required", [(4,), (5,), (4, 6), (6, 5, 4)])
@pytest.mark.parametrize("seed", [0, 2])
def test_a_wide_beam_finds_the_best_sentence_with_the_words(required, seed, features):
    """Three words, four steps: few enough to try them all."""
    decoder = make(WORDS[:3], length=4, seed=seed)
    words = Vocabulary([*SPECIAL, *WORDS[:3]])
    totals = every_sentence(decoder, features[0], words=3, length=4)
    right = {s: total for s, total in totals.items() if set(required) <= set(s)}
    names = tuple(words.words[i] for i in required)
    config = DecodingConfig(beam_width=20, length_penalty=0.0, required_words=names)
    (found,) = CaptionSearch(decoder.model, vocabulary=words).search(features[:1], config)
    best = max(right, key=right.get)
    assert (*found[0].ids, EOS)[: len(best)] == best
    assert found[0].score(0.0) == pytest.approx(right[best], abs=1e-4)
    assert all(set(required) <= set(h.ids) for h in found)


def test_the_model_chooses_where_the_word_stands(search, features):
    places = set()
    for word in WORDS:
        for hypotheses in search.search(features, BEAM.replace(required_words=(word,))):
            places |= {said(h).index(word) for h in hypotheses}
    assert len(places) > 3


def test_requiring_a_word_of_the_best_caption_does_not_change_it(search, features):
    for b in range(len(features)):
        photo = features[b : b + 1]
        free = search.search(photo, BEAM.replace(beam_width=8))[0][0]
        config = BEAM.replace(beam_width=8, required_words=(said(free)[0],))
        assert search.search(photo, config)[0][0].score(0.7) >= free.score(0.7) - 1e-4


def test_a_beginning_as_the_model_would_begin_changes_nothing(search, features):
    greedy = DecodingConfig(beam_width=1)
    for b in range(len(features)):
        photo = features[b : b + 1]
        (free,) = search.search(photo, greedy)[0]
        for count in range(min(len(free.ids), LENGTH - 1)):
            config = greedy.replace(prefix=tuple(said(free)[:count]))
            assert search.search(photo, config)[0][0].ids == free.ids


def test_choosing_a_rival_rewrites_only_what_follows(search, features):
    free = said(search.search(features[:1], BEAM)[0][0])
    rival = next(word for word in WORDS if word != free[1])
    (found,) = search.search(features[:1], BEAM.replace(prefix=(free[0], rival)))
    assert all(said(h)[:2] == [free[0], rival] for h in found)
    assert len({h.ids for h in found}) == 3


@pytest.mark.parametrize("config", [BEAM.replace(**w) for w in WISHES[:1] + MUST[1:]], ids=str)
def test_a_batch_says_what_its_photos_say_alone(config, search, features):
    together = search.search(features, config)
    for b in range(len(features)):
        (alone,) = search.search(features[b : b + 1], config)
        assert [h.ids for h in alone] == [h.ids for h in together[b]]


def test_the_trace_keeps_what_was_nearly_kept(decoder, search, features):
    """What was kept and what was not are, together, the best 2K of all continuations."""
    trace = search.trace(features[:1], BEAM)
    width = BEAM.beam_width
    kept_scores, near = trace.scores[0, 0], trace.near_scores[0, 0]
    coming = decoder.log_probs(features[0], [[]])[0, 0]
    best = np.sort(coming)[::-1][: 2 * width]
    np.testing.assert_allclose(kept_scores, best[:width], atol=1e-4)
    np.testing.assert_allclose(near[near > NEG_INF / 2], best[width:], atol=1e-4)
    assert read_hypotheses(trace, length_penalty=0.7) == search.search(features[:1], BEAM)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"required_words": ("zebra",)}, "does not know the word 'zebra'"),
        ({"required_words": ("doge",)}, "It knows 'dog'"),
        ({"prefix": ("a", "cat")}, "does not know the word 'a'"),
        ({"prefix": ("<bos>",)}, "does not know the word 'bos'"),
        ({"required_words": ("hot dog",)}, "'hot dog' has 2 words"),
        (
            {"required_words": ("dog",), "banned_words": ("Dog!",)},
            "'dog' is both requested and banned",
        ),
        ({"prefix": ("cat dog",), "banned_words": ("dog",)}, "'dog' is both requested and banned"),
        ({"prefix": ("cat",) * 7}, "at most 6 words, too few for a beginning of 7"),
        ({"prefix": ("cat",) * 5, "required_words": ("dog", "emu")}, "beginning of 5 words and 2"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_with_a_sentence(wishes, message, search, features):
    with pytest.raises(ConfigError, match=message) as caught:
        search.search(features, BEAM.replace(**wishes))
    assert str(caught.value).endswith(".")


def test_words_may_be_written_as_people_write_them():
    config = DecodingConfig(
        prefix=("Cat, dog",), required_words=("EMU.", "emu"), banned_words=("Fox!", "zebra", "")
    )
    steering = read_steering(config, VOCABULARY, max_length=LENGTH)
    assert [VOCABULARY.words[i] for i in steering.prefix] == ["cat", "dog"]
    assert [VOCABULARY.words[i] for i in steering.required] == ["emu"]
    assert [VOCABULARY.words[i] for i in steering.banned] == ["fox"]


def test_words_that_must_occur_are_not_drawn_by_chance_and_are_few():
    with pytest.raises(ConfigError, match="beam search"):
        SAMPLE.replace(required_words=("dog",))
    with pytest.raises(ConfigError, match="at most 4 words, got 5"):
        BEAM.replace(required_words=tuple(WORDS[:5]))
    for wrong in ("dog", [1], {"dog": 1}, None):
        with pytest.raises(ConfigError, match="banned_words must be a list of words"):
            DecodingConfig(banned_words=wrong)


def test_a_search_without_words_cannot_be_steered_by_words(decoder, features):
    with pytest.raises(ConfigError, match="has no vocabulary"):
        CaptionSearch(decoder.model).search(features, BEAM.replace(banned_words=("dog",)))
    CaptionSearch(decoder.model).search(features, BEAM.replace(no_repeat=2))
