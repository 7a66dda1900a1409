"""p(sentence | photo) against the decoder's plain call; recall against brute force."""

import numpy as np
import pytest

from captioning.backend import to_numpy
from captioning.errors import ConfigError, QueryError
from captioning.features import extract_features, pooled
from captioning.retrieval import (
    DEPTHS,
    EncodedPhotos,
    Recall,
    find_alike,
    measure_recall,
    ranks_of_photos,
    ranks_of_sentences,
    read_sentence,
)
from captioning.retrieval.recall import LESS_PRIOR, PER_WORD, RAW
from captioning.vocabulary import BOS, EOS, PAD, UNK

SENTENCES = ["the red circle", "two blue squares above", "a", "left of the small triangle"]


@pytest.fixture(scope="module")
def encoded(tiny_captioner, shapes):
    photos = shapes.split("train")[:12]
    features = np.concatenate(list(tiny_captioner.look(shapes, photos)))
    return EncodedPhotos.in_memory([photo.name for photo in photos], features)


def plain_log_probs(captioner, features, sentence):
    """By the decoder's uncompiled call: `(B, T + 1)` of the words and the end."""
    ids = captioner.bundle.vocabulary.encode(sentence)
    tokens = np.tile(np.array([BOS, *ids], np.int32), (len(features), 1, 1))
    logits = to_numpy(captioner.keras_decoder(features.astype(np.float32), tokens))[:, 0]
    logits = logits.astype(np.float64)
    logits[:, :, [PAD, UNK, BOS]] = -np.inf
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    own = [log_probs[:, t, i] for t, i in enumerate([*ids, EOS])]
    return np.stack(own, axis=1)


def test_each_sentence_is_as_likely_as_the_decoder_says(tiny_captioner, encoded):
    features = encoded.rows(np.arange(5))
    found = tiny_captioner.likelihoods(features, SENTENCES)
    assert found.shape[:2] == (5, 4)
    for number, sentence in enumerate(SENTENCES):
        expected = plain_log_probs(tiny_captioner, features, sentence)
        steps = expected.shape[1]
        if UNK in tiny_captioner.bundle.vocabulary.encode(sentence):
            continue
        assert found[:, number, :steps] == pytest.approx(expected, abs=1e-4)
        assert np.all(found[:, number, steps:] == 0)


def test_it_agrees_with_reading_one_sentence(tiny_captioner, encoded):
    features = encoded.rows(np.arange(3))
    expected = tiny_captioner.read(features, "the red circle").of_words
    found = tiny_captioner.likelihoods(features, ["The red circle."])[:, 0]
    assert found == pytest.approx(expected, abs=1e-4)


def test_an_unknown_word_is_read_and_not_counted(tiny_captioner, encoded):
    features = encoded.rows(np.arange(3))
    found = tiny_captioner.likelihoods(features, ["the zebra circle"])[:, 0]
    assert np.all(found[:, 1] == 0)
    assert np.all(found[:, [0, 2, 3]] < 0)
    reading = read_sentence(tiny_captioner, encoded, "the zebra circle")
    assert reading.known.tolist() == [True, False, True, True]
    assert reading.best(1)[0].words[1].gain is None


def test_a_long_sentence_is_cut_and_its_end_not_judged(tiny_captioner, encoded):
    longest = tiny_captioner.bundle.decoder.max_length
    sentence = " ".join(["red"] * (longest + 3))
    found = tiny_captioner.likelihoods(encoded.rows(np.arange(2)), [sentence])
    assert found.shape == (2, 1, longest + 1)
    assert np.all(found[:, :, :longest] < 0)
    assert np.all(found[:, :, longest] == 0)
    reading = read_sentence(tiny_captioner, encoded, sentence)
    assert reading.words == ("red",) * longest


def test_photos_come_in_the_order_of_their_probability(tiny_captioner, encoded):
    reading = read_sentence(tiny_captioner, encoded, SENTENCES[0])
    expected = plain_log_probs(tiny_captioner, encoded.rows(np.arange(12)), SENTENCES[0])
    totals = expected.sum(axis=1)
    best = reading.best(12)
    assert [hit.place for hit in best] == np.argsort(-totals, kind="stable").tolist()
    prior = np.log(np.exp(expected).mean(axis=0))
    for hit in best:
        assert hit.log_prob == pytest.approx(totals[hit.place], abs=1e-3)
        gains = [word.gain for word in hit.words]
        assert gains == pytest.approx(expected[hit.place] - prior, abs=1e-3)
        assert hit.gain == pytest.approx(np.mean(gains), abs=1e-3)


def test_progress_and_an_empty_query_are_reported(tiny_captioner, encoded):
    progress = []
    read_sentence(tiny_captioner, encoded, "red", on_progress=lambda *n: progress.append(n))
    assert progress == [(12, 12)]
    with pytest.raises(QueryError, match="nothing to look for"):
        read_sentence(tiny_captioner, encoded, " .!")
    with pytest.raises(QueryError, match="knows no word"):
        read_sentence(tiny_captioner, encoded, "zebras")


def test_ranks_equal_those_of_a_sorted_list():
    random = np.random.default_rng(0)
    scores = random.normal(size=(20, 20))
    asked = np.array([3, 0, 19])
    for found, lines in (
        (ranks_of_photos(scores, asked), scores.T),
        (ranks_of_sentences(scores[asked], asked), scores),
    ):
        expected = [sorted(lines[q], reverse=True).index(lines[q][q]) + 1 for q in asked]
        assert found.tolist() == expected
    assert ranks_of_photos(np.zeros((4, 4)), np.array([0])).tolist() == [4]  # a tie helps nobody


def test_recall_equals_brute_force_over_all_pairs(tiny_captioner, encoded, shapes):
    sentences = [p.captions[0] for p in shapes.split("train")[:12]]
    features = encoded.rows(np.arange(12))
    log_probs = tiny_captioner.likelihoods(features, sentences)
    table = log_probs.sum(-1)
    judged = (log_probs[0] != 0).sum(-1)
    prior = np.log(np.exp(log_probs.astype(np.float64)).mean(axis=0)).sum(-1)
    *_, last = measure_recall(tiny_captioner, encoded, sentences, queries=12)
    assert (last.done, last.total, last.photos.candidates) == (12, 12, 12)

    def share(scores, depth):
        own = np.diagonal(scores)
        return np.mean([(scores[i] >= own[i] - 1e-5).sum() <= depth for i in range(len(own))])

    for depth in (1, 3, 5):
        assert last.photos.at(depth) == pytest.approx(share(table.T, depth), abs=0.09)
        for name, scores in ((RAW, table), (PER_WORD, table / judged), (LESS_PRIOR, table - prior)):
            assert last.sentences[name].at(depth) == pytest.approx(share(scores, depth), abs=0.09)


def test_queries_are_counted_as_they_come_and_stopping_keeps_the_answers(tiny_captioner, shapes):
    photos = shapes.split("train")[:25]
    rows = np.concatenate(list(tiny_captioner.look(shapes, photos)))
    encoded = EncodedPhotos.in_memory([p.name for p in photos], rows)
    sentences = [p.captions[0] for p in photos]
    progress = []
    far = list(
        measure_recall(
            tiny_captioner,
            encoded,
            sentences,
            queries=21,
            on_progress=lambda *pairs: progress.append(pairs),
        )
    )
    # 16 photos for the prior, and all pairs but those of the four neither asked for nor looked in.
    assert progress[-1] == (16 * 25 + 25**2 - 4**2,) * 2
    assert [f.done for f in far] == [10, 20, 21]
    assert far[0].photos.ranks.tolist() == far[2].photos.ranks[:10].tolist()
    assert far[0].sentences[RAW].ranks.tolist() == far[2].sentences[RAW].ranks[:10].tolist()
    with pytest.raises(ConfigError, match="one sentence for each photo"):
        next(measure_recall(tiny_captioner, encoded, sentences[:-1], queries=3))


def test_recall_is_a_share_with_its_interval():
    recall = Recall(np.array([1, 2, 6, 11]), candidates=1000)
    assert [recall.at(depth) for depth in DEPTHS] == [0.25, 0.5, 0.75]
    assert (recall.median, recall.chance(10)) == (4.0, 0.01)
    low, high = recall.interval(5)
    assert (low, high) == (pytest.approx(0.15, abs=0.005), pytest.approx(0.85, abs=0.005))
    assert Recall(np.ones(50, int), 100).interval(1)[1] == pytest.approx(1)


def test_an_example_finds_itself_first(encoded):
    vectors = pooled(encoded.rows(np.arange(12)))
    found = find_alike(vectors, vectors[7], 3)
    assert found[0].place == 7
    assert found[0].cosine == pytest.approx(1, abs=1e-5)
    assert [hit.cosine for hit in found] == sorted((hit.cosine for hit in found), reverse=True)


def test_photos_in_a_store_are_those_in_memory(tiny_captioner, shapes, tmp_path):
    store = extract_features(tiny_captioner.encoder, shapes, tmp_path / "store")
    names = [photo.name for photo in shapes.split("test")]
    encoded = EncodedPhotos.in_store(store, names)
    assert encoded.names == tuple(names)
    batches = list(encoded.batches(3))
    assert [len(batch) for batch in batches] == [3, 1]
    assert np.array_equal(np.concatenate(batches), store.of(names))
