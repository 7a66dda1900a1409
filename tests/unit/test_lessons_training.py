"""The lesson on training: steps, curves, chance, and words of its own, against NumPy."""

import math

import numpy as np
import pytest
from latex_numbers import check

from captioning.arrays import weights_of
from captioning.config import DecoderConfig, DecodingConfig
from captioning.errors import QueryError, TrainingError
from captioning.lessons.gradient_step import Pupil, bias_formula, loss_formula, slope_formula
from captioning.lessons.numpy_decoder import PlainDecoder, write_greedily
from captioning.lessons.training import (
    forced_sentence,
    forced_words,
    parting,
    read_curve,
    second_word,
    spread_of,
)
from captioning.training.seeds import SeedStudy, quarters
from captioning.vocabulary import BOS, EOS, SPECIAL

SENTENCE = "a red circle above a blue square"
GREEDY = DecodingConfig(beam_width=1, length_penalty=0.0)


@pytest.fixture(scope="module")
def features(tiny_captioner, photo):
    return tiny_captioner.encode([photo])


@pytest.fixture(scope="module")
def pupil(tiny_captioner):
    return Pupil(tiny_captioner)


@pytest.fixture(scope="module")
def learned(pupil, features):
    return pupil.learn(features, SENTENCE, rate=0.05, steps=3, others=features[:, ::-1])


def probabilities(captioner, features, sentence):
    """Softmax of the model's logits by NumPy, `(T, V)`, and the ids that had to be written."""
    ids = captioner.bundle.vocabulary.encode(sentence)
    logits = np.asarray(
        captioner.keras_decoder(features, np.array([[[BOS, *ids]]], np.int32), training=False),
        float,
    )[0, 0]
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True), [*ids, EOS]


# One sentence taught.


@pytest.mark.slow
def test_the_losses_and_probabilities_are_those_of_the_model(tiny_captioner, features, learned):
    shares, targets = probabilities(tiny_captioner, features, SENTENCE)
    expected = shares[np.arange(len(targets)), targets]
    assert learned.losses[0] == pytest.approx(-np.log(expected).mean(), abs=1e-5)
    assert [word.before for word in learned.words] == pytest.approx(expected, abs=1e-5)
    assert len(learned.losses) == 4
    assert [word.word for word in learned.words] == [*SENTENCE.split(), None]


def test_the_last_loss_is_that_of_the_last_probabilities(learned):
    last = -np.mean([math.log(word.after) for word in learned.words])
    assert learned.losses[-1] == pytest.approx(last, abs=1e-5)


def test_short_steps_go_downhill(learned):
    assert list(learned.losses) == sorted(learned.losses, reverse=True)


def test_the_bias_moves_by_the_rate_times_share_minus_times(tiny_captioner, features, learned):
    shares, _ = probabilities(tiny_captioner, features, SENTENCE)
    words = SENTENCE.split()
    assert [step.word for step in learned.bias] == list(dict.fromkeys(words))
    for step in learned.bias:
        word = tiny_captioner.bundle.vocabulary.id(step.word)
        assert step.share == pytest.approx(shares[:, word].mean(), abs=1e-5)
        expected = step.share - words.count(step.word) / (len(words) + 1)
        assert step.gradient == pytest.approx(expected, abs=1e-5)
        assert step.after == pytest.approx(step.before - 0.05 * expected, abs=1e-5)
        assert (step.times, step.places) == (words.count(step.word), len(words) + 1)


def test_the_formulas_yield_their_figures(learned):
    loss = check("L = " + " ".join(loss_formula(learned.words))[4:], 1e-3)
    assert loss == pytest.approx(learned.losses[0], abs=6e-4)
    for step in learned.bias:
        assert check(slope_formula(step), 1.1e-5) == pytest.approx(step.gradient, abs=5.1e-6)
        formula = bias_formula(step, learned.rate)
        value = check(formula[formula.index("=", 4) - 4 :], 1.1e-5)
        assert value == pytest.approx(step.after, abs=5.1e-6)


def test_the_gradient_s_length_by_finite_differences(tiny_captioner, features, pupil):
    """Along its gradient the loss falls by the gradient's length squared times a short step."""
    rate = 1e-6
    learned = pupil.learn(features, SENTENCE, rate=rate)
    squared = sum(norm**2 for norm in learned.gradient_norms.values())
    assert (learned.losses[0] - learned.losses[1]) / rate == pytest.approx(squared, rel=0.05)
    norms = list(learned.gradient_norms.values())
    assert norms == sorted(norms, reverse=True)


@pytest.mark.slow
def test_the_model_itself_is_never_changed(tiny_captioner, features, pupil):
    before = weights_of(tiny_captioner.keras_decoder)
    first = pupil.learn(features, SENTENCE, rate=1.0, steps=2)
    again = pupil.learn(features, SENTENCE, rate=1.0, steps=2)
    assert first == again  # each lesson begins with the model's own weights
    for path, weight in weights_of(tiny_captioner.keras_decoder).items():
        assert np.array_equal(weight, before[path])


def test_captions_before_are_the_model_s_own_greedy_ones(tiny_captioner, features, learned):
    assert learned.before[0] == tiny_captioner.describe(features, GREEDY)[0].text
    assert len(learned.before) == len(learned.after) == 2


@pytest.mark.slow
def test_more_steps_teach_more(pupil, features, learned):
    longer = pupil.learn(features, SENTENCE, rate=0.05, steps=8)
    assert longer.losses[:4] == pytest.approx(learned.losses, abs=1e-4)
    assert longer.losses[-1] < learned.losses[-1]
    best = longer.gained_most()
    assert best.after - best.before == max(
        word.after - word.before for word in longer.words if word.word
    )


def test_what_cannot_be_learned_is_refused(pupil, features):
    with pytest.raises(QueryError, match="zebra"):
        pupil.learn(features, "a zebra", rate=0.1)
    with pytest.raises(QueryError, match="0 words"):
        pupil.learn(features, " . ", rate=0.1)
    with pytest.raises(QueryError, match="8 words"):
        pupil.learn(features, "a " * 8, rate=0.1)
    with pytest.raises(TrainingError, match="too long"):
        pupil.learn(features, SENTENCE, rate=1e20, steps=3)


# True words before each, or its own.


def test_forced_words_are_the_likeliest_after_true_ones(tiny_captioner, features):
    found = forced_words(tiny_captioner, features, SENTENCE)
    reading = tiny_captioner.read(features, SENTENCE)
    words = tiny_captioner.bundle.vocabulary.words
    assert len(found) == len(SENTENCE.split()) + 1
    for word, log_probs, true in zip(found, reading.log_probs[0], reading.ids, strict=True):
        best = int(np.argmax(log_probs))
        assert word.predicted == (None if best == EOS else words[best])
        assert word.predicted_log_prob == pytest.approx(log_probs[best])
        assert word.true_log_prob == pytest.approx(log_probs[true])
        assert word.right == (word.predicted == word.true)


def test_its_own_greedy_sentence_it_repeats_word_for_word(tiny_captioner, features):
    own = tiny_captioner.describe(features, GREEDY)[0].text
    found = forced_words(tiny_captioner, features, own)
    assert all(word.right for word in found[:-1])
    assert forced_sentence(found) == own


def test_pushed_it_goes_on_as_keras_does(tiny_captioner, features):
    vocabulary = tiny_captioner.bundle.vocabulary
    decoder = PlainDecoder.of(tiny_captioner.bundle)
    begun = ["two", "large"]
    ids = [vocabulary.id(word) for word in begun]
    written = write_greedily(decoder, decoder.remember(features), begun=ids)
    pushed = tiny_captioner.describe(features, GREEDY.replace(prefix=tuple(begun)))[0]
    assert vocabulary.decode(written.ids) == pushed.text
    assert pushed.text.split()[:2] == begun


def test_the_second_word_is_keras_second_likeliest_and_no_end(tiny_captioner, features):
    vocabulary = tiny_captioner.bundle.vocabulary
    decoder = PlainDecoder.of(tiny_captioner.bundle)
    written = write_greedily(decoder, decoder.remember(features))
    words = [vocabulary.words[token] for token in written.ids]
    log_probs = tiny_captioner.read(features, " ".join(words)).log_probs[0].copy()
    log_probs[:, list(range(len(SPECIAL)))] = -np.inf
    for place, token in enumerate(written.ids):
        log_probs[place, token] = -np.inf
        assert second_word(written, place) == int(log_probs[place].argmax())


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [("a b", "a b", None), ("a b", "a c", 1), ("a", "a b", 1), ("", "a", 0), ("", "", None)],
)
def test_where_two_sentences_part(one, other, place):
    assert parting(one.split(), other.split()) == place


# Two curves.


def rows(*pairs):
    return [{"epoch": n, "loss": a, "dev_loss": b} for n, (a, b) in enumerate(pairs, start=1)]


def test_a_curve_knows_its_best_epoch_gap_and_rise():
    curve = read_curve(rows((3.0, 3.1), (2.0, 2.5), (1.0, 2.75)))
    assert curve.best.epoch == 2 and curve.last.epoch == 3
    assert curve.last.gap == pytest.approx(1.75)
    assert curve.rise == pytest.approx(0.25)
    assert curve.best.perplexity == pytest.approx(math.exp(2.5))
    assert curve.overfits
    assert not read_curve(rows((3.0, 3.1), (2.0, 2.5))).overfits


def test_what_is_no_curve_is_none():
    assert read_curve([]) is None
    assert read_curve([{"epoch": 1, "loss": 2.0}]) is None
    assert read_curve([{"epoch": 1, "loss": math.nan, "dev_loss": 1.0}]) is None
    assert read_curve([{**rows((1.0, 2.0))[0], "reward": 0.8}]) is None


# Chance.


def test_the_spread_is_numpy_s():
    values = [61.2, 55.0, 58.7, 63.1, 60.0]
    spread = spread_of(values)
    assert spread.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert spread.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    assert spread.width == pytest.approx(8.1)
    assert spread.noticeable == pytest.approx(2 * np.std(values, ddof=1) * math.sqrt(2 / 5))
    assert check(spread.mean_formula(), 0.051) == pytest.approx(spread.mean, abs=0.051)
    assert check(spread.variance_formula(), 0.06) == pytest.approx(spread.deviation**2, abs=0.01)
    assert check(spread.deviation_formula(), 0.051) == pytest.approx(spread.deviation, abs=0.051)
    assert spread_of([1.0]) is None


@pytest.fixture(scope="module")
def study():
    """Photos of one number each, which says the whole caption: something to learn in seconds."""
    features = np.repeat(np.eye(3, 4, dtype=np.float32), 8, axis=0)[np.arange(24) % 3 * 8]
    captions = [[f"a {('red', 'green', 'blue')[place % 3]} thing"] for place in range(24)]
    config = DecoderConfig(kind="inject", embedding_size=8, units=16, dropout=0.0, max_length=6)
    return SeedStudy(features, captions, held_out=6, config=config, learning_rate=0.05)


@pytest.mark.slow
def test_equal_seeds_train_alike_and_others_do_not(study):
    first = study.run(1, photos=18, epochs=3)
    assert study.run(1, photos=18, epochs=3) == first
    assert study.run(2, photos=18, epochs=3).losses != first.losses


def test_a_run_learns_and_reports_each_epoch(study):
    epochs = []
    run = study.run(1, photos=18, epochs=15, on_epoch=epochs.append)
    assert epochs == list(range(1, 16))
    assert len(run.losses) == len(run.held_out_losses) == 15
    assert run.losses[-1] < 0.5 * run.losses[0]
    assert len(run.captions) == 6
    assert set(run.captions) <= {"a red thing", "a green thing", "a blue thing"}
    assert run.cider > 0


def test_chance_can_be_left_to_the_weights_or_to_the_order_alone(study):
    def losses(seed, **same):
        return study.run(seed, photos=18, epochs=2, **same).losses

    both = losses(1, same_weights=True, same_order=True)
    assert losses(2, same_weights=True, same_order=True) == both
    assert losses(2, same_weights=True) != both
    assert losses(2, same_order=True) != both


def test_a_study_needs_photos_on_both_sides(study):
    with pytest.raises(TrainingError, match="held out"):
        SeedStudy(np.zeros((3, 4)), [["a"]] * 3, held_out=3, config=DecoderConfig(kind="inject"))
    with pytest.raises(TrainingError, match="18 training photos"):
        study.run(0, photos=19, epochs=1)


def test_quarters_are_means_of_quarters():
    random = np.random.default_rng(0).normal(size=(2, 16, 3)).astype(np.float32)
    found = quarters(random)
    square = random.reshape(2, 4, 4, 3)
    parts = [square[:, y : y + 2, x : x + 2].mean(axis=(1, 2)) for y in (0, 2) for x in (0, 2)]
    assert found == pytest.approx(np.concatenate(parts, axis=1), abs=1e-6)
    assert quarters(random[:, :15]) == pytest.approx(random[:, :15].mean(axis=1), abs=1e-6)
    assert np.array_equal(quarters(random[:, 0]), random[:, 0])
