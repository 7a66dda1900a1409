"""What the lesson on the LSTM shows, held to Keras and to differences taken by hand."""

import re

import numpy as np
import pytest
from keras import ops
from lesson_decoders import KINDS, LENGTH, D, E, R, U, V, make, photos, plain

from captioning.backend import to_numpy
from captioning.config import DecodingConfig
from captioning.decoding import CaptionSearch
from captioning.errors import BundleError, ConfigError, QueryError
from captioning.inference.keras_decoder import KerasDecoder
from captioning.lessons.keras_check import largest_difference
from captioning.lessons.lstm_memory import (
    PROPERTIES,
    ReadWords,
    correlations,
    fading,
    find_followers,
    lstm_influence,
    mark_words,
    padded,
    read_words,
    tanh_influence,
)
from captioning.lessons.numpy_decoder import (
    PlainDecoder,
    log_softmax,
    read_sentence,
    write_greedily,
)
from captioning.lessons.numpy_lstm import GATES, Switches, cell_formulas, lstm_cell
from captioning.vocabulary import BOS, EOS, PAD, UNK

WORDS = (5, 9, 4, 12, 7)


@pytest.fixture(scope="module", params=KINDS)
def decoder(request):
    return make(request.param)


@pytest.fixture(scope="module")
def ours(decoder):
    return plain(decoder)


@pytest.fixture(scope="module")
def features():
    return photos()


def keras_steps(decoder, features, tokens):
    """Logits, states and attention weights of every step, as Keras has them."""
    memory = decoder.remember(features)
    state = decoder.initial_state(memory, 1)
    for token in tokens:
        row = ops.convert_to_tensor(np.full((len(features), 1), token, np.int32))
        logits, state, look = decoder.step(row, state, memory)
        parts = (logits, *state) if look is None else (logits, *state, look)
        yield [to_numpy(part)[:, 0] for part in parts]


@pytest.mark.slow
def test_every_number_of_every_step_equals_keras(decoder, ours, features):
    memory = ours.remember(features)
    state = ours.begin(memory)
    for token, theirs in zip(
        (BOS, *WORDS), keras_steps(decoder, features, (BOS, *WORDS)), strict=True
    ):
        step = ours.step(np.full(len(features), token), state, memory)
        state = step.state
        mine = [step.logits, step.cell.hidden, step.cell.cell]
        mine += [step.look.weights.mean(axis=1)] if step.look else []
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", ["merge", "inject"])
def test_pooled_features_are_read_too(kind):
    decoder, features = make(kind, shape=(D,)), photos(shape=(D,))
    ours = plain(decoder)
    memory = ours.remember(features)
    step = ours.step(np.full(3, BOS), ours.begin(memory), memory)
    (theirs,) = keras_steps(decoder, features, [BOS])
    np.testing.assert_allclose(step.logits, theirs[0], atol=1e-5)


def test_one_memory_serves_many_sentences(ours, features):
    memory = ours.remember(features[:1])
    tokens = np.array([5, 9, 5])
    together = ours.step(tokens, ours.begin(memory, 3), memory)
    for place, token in enumerate(tokens):
        alone = ours.step(np.array([token]), ours.begin(memory), memory)
        np.testing.assert_allclose(together.log_probs[place], alone.log_probs[0], atol=1e-9)


def test_marks_that_are_no_words_cannot_be_written(ours, features):
    step = read_sentence(ours, ours.remember(features[:1]), ()).steps[0]
    shares = np.exp(step.log_probs[0])
    assert shares[[PAD, UNK, BOS]].tolist() == [0, 0, 0]
    assert shares.sum() == pytest.approx(1)


def test_a_missing_weight_is_named(decoder):
    with pytest.raises(BundleError, match="lstm/lstm_cell/kernel"):
        PlainDecoder(decoder.config, {})


def test_greedy_sentences_are_those_of_the_compiled_search(decoder, ours, features):
    search = CaptionSearch(KerasDecoder(decoder))
    lengths = set()
    for photo in features:
        best = search.search(photo[None], DecodingConfig(beam_width=1))[0][0]
        written = write_greedily(ours, ours.remember(photo[None]))
        assert written.ids == best.ids
        assert written.ended == (best.end_log_prob is not None)
        assert written.log_prob == pytest.approx(
            best.log_prob + (best.end_log_prob or 0.0), abs=1e-4
        )
        lengths.add(len(written.ids))
    assert lengths != {0}


def test_a_sentence_goes_on_from_its_beginning(ours, features):
    memory = ours.remember(features[:1])
    written = write_greedily(ours, memory, begun=WORDS[:2])
    assert written.ids[:2] == WORDS[:2]
    assert len(written.ids) <= LENGTH
    again = read_sentence(ours, memory, written.ids)
    np.testing.assert_allclose(
        again.log_probs[: len(written.log_probs)], written.log_probs, atol=1e-12
    )


def test_the_check_against_keras_finds_next_to_no_difference(tiny_captioner, photo):
    ours = PlainDecoder.of(tiny_captioner.bundle)
    features = tiny_captioner.encode([photo])
    written = write_greedily(ours, ours.remember(features))
    found = largest_difference(tiny_captioner, features, written)
    assert set(found) == {"hidden", "cell", "probability", "attention"}
    # Keras computes in float32; the weights of this model are large and magnify its rounding.
    assert max(found.values()) < 5e-5


def test_the_check_against_keras_finds_a_difference(tiny_captioner, photo):
    ours = PlainDecoder.of(tiny_captioner.bundle)
    features = tiny_captioner.encode([photo])
    memory = ours.remember(features)
    held = read_sentence(ours, memory, WORDS[:3], switches=Switches(forget=0.0))
    assert largest_difference(tiny_captioner, features, held)["cell"] > 1e-2


# The cell


def random_cell(decoder, rows=2, seed=0):
    random = np.random.default_rng(seed)
    inputs = decoder.recurrent.cell.kernel.shape[0]
    return random.normal(size=(rows, inputs)), *random.normal(size=(2, rows, U))


def test_the_cell_equals_keras(decoder, ours):
    x, hidden, cell = random_cell(decoder)
    step = lstm_cell(x, hidden, cell, ours.weights)
    as_tensors = [ops.convert_to_tensor(part.astype(np.float32)) for part in (x, hidden, cell)]
    shown, (_, kept) = decoder.recurrent.cell(as_tensors[0], as_tensors[1:])
    np.testing.assert_allclose(step.hidden, to_numpy(shown), atol=1e-5)
    np.testing.assert_allclose(step.cell, to_numpy(kept), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["merge", "inject", "attention"])
def test_a_gru_equals_keras(kind, features):
    decoder = make(kind, cell="gru")
    ours = plain(decoder)
    written = write_greedily(ours, ours.remember(features[:1]))
    best = CaptionSearch(KerasDecoder(decoder)).search(features[:1], DecodingConfig(beam_width=1))[
        0
    ][0]
    assert written.ids == best.ids
    assert written.log_prob == pytest.approx(best.log_prob + (best.end_log_prob or 0), abs=1e-4)


def test_the_parts_of_a_gate_add_up_to_it(decoder, ours):
    step = lstm_cell(*random_cell(decoder), ours.weights)
    for gate in GATES:
        total = step.from_input[gate] + step.from_hidden[gate] + step.bias[gate]
        squashed = np.tanh(total) if gate == "candidate" else 1 / (1 + np.exp(-total))
        np.testing.assert_allclose(step.values[gate], squashed, atol=1e-12)


def test_a_closed_forget_gate_forgets_and_an_open_one_keeps(decoder, ours):
    x, hidden, cell = random_cell(decoder)
    closed = lstm_cell(x, hidden, cell, ours.weights, Switches(forget=0.0))
    other = lstm_cell(x, hidden, cell * 9 - 4, ours.weights, Switches(forget=0.0))
    np.testing.assert_allclose(closed.cell, other.cell)
    kept = lstm_cell(x, hidden, cell, ours.weights, Switches(forget=1.0, input=0.0))
    np.testing.assert_allclose(kept.cell, cell)
    hidden_away = lstm_cell(x, hidden, cell, ours.weights, Switches(output=0.0))
    assert not hidden_away.hidden.any()
    np.testing.assert_allclose(hidden_away.cell, lstm_cell(x, hidden, cell, ours.weights).cell)


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_a_gate_cannot_be_held_outside_0_to_1(value):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Switches(forget=value)


def test_without_the_photo_held_gates_change_the_sentence(ours, features):
    memory = ours.remember(features[:1])
    free = read_sentence(ours, memory, WORDS)
    held = read_sentence(ours, memory, WORDS, switches=Switches(forget=0.0))
    assert np.abs(free.steps[-1].log_probs - held.steps[-1].log_probs).max() > 1e-2


NUMBER = re.compile(r"-?\d+\.\d{3}")


@pytest.mark.parametrize("switches", [Switches(), Switches(forget=1.0, input=0.0)])
def test_every_number_in_the_formulas_follows_from_those_before_it(ours, features, switches):
    step = read_sentence(ours, ours.remember(features[:1]), WORDS, switches=switches).steps[3].cell
    for unit in (0, 7, U - 1):
        lines = {line.name: line for line in cell_formulas(step, unit)}
        assert list(lines) == ["forget", "input", "candidate", "output", "cell", "hidden"]
        numbers = {n: [float(x) for x in NUMBER.findall(f.numbers)] for n, f in lines.items()}
        for gate in ("forget", "input", "candidate", "output"):
            if switches.held(gate) is not None:
                assert numbers[gate] == [switches.held(gate)]
                continue
            read, before, bias, total, value = numbers[gate]
            assert total == pytest.approx(read + before + bias, abs=2e-3)
            squashed = np.tanh(total) if gate == "candidate" else 1 / (1 + np.exp(-total))
            assert value == pytest.approx(squashed, abs=1e-3)
            assert value == pytest.approx(float(step.values[gate][0, unit]), abs=5.1e-4)
        f, c_before, i, g, c = numbers["cell"]
        scale = 1 + abs(c_before)
        assert c == pytest.approx(f * c_before + i * g, abs=2e-3 * scale)
        assert (f, i, g) == (numbers["forget"][-1], numbers["input"][-1], numbers["candidate"][-1])
        o, c_again, h = numbers["hidden"]
        assert (o, c_again) == (numbers["output"][-1], c)
        assert h == pytest.approx(o * np.tanh(c), abs=2e-3)
        assert lines["hidden"].result == step.hidden[0, unit]
        assert lines["cell"].result == step.cell[0, unit]


# How far back it remembers


def by_differences(run, embedded):
    """Frobenius norm of the derivative of `run` by each embedding, by central differences."""
    norms = []
    for place in range(len(embedded)):
        columns = []
        for number in range(embedded.shape[1]):
            moved = [embedded.copy(), embedded.copy()]
            moved[0][place, number] += 1e-5
            moved[1][place, number] -= 1e-5
            columns.append((run(moved[0]) - run(moved[1])) / 2e-5)
        norms.append(np.linalg.norm(columns))
    return np.array(norms)


@pytest.mark.parametrize(
    "switches", [Switches(), Switches(forget=1.0), Switches(input=0.5, output=0.5)]
)
def test_the_lstm_s_gradients_are_those_that_differences_give(ours, features, switches):
    memory = ours.remember(features[:1])
    steps = [s.cell for s in read_sentence(ours, memory, WORDS, switches=switches).steps]
    inputs = np.stack(
        [s.inputs[0] for s in read_sentence(ours, memory, WORDS, switches=switches).steps]
    )

    def run(embedded):
        hidden, cell = ours.begin(memory)
        for row, rest in zip(embedded, inputs[:, E:], strict=True):
            both = np.concatenate([row, rest])[None]
            step = lstm_cell(both, hidden, cell, ours.weights, switches)
            hidden, cell = step.hidden, step.cell
        return hidden[0]

    found = lstm_influence(steps, ours.weights, E)
    assert found.shape == (len(WORDS) + 1,)
    np.testing.assert_allclose(found, by_differences(run, inputs[:, :E]), rtol=1e-4)


def test_the_gradients_without_gates_are_those_that_differences_give(ours, features):
    memory = ours.remember(features[:1])
    steps = read_sentence(ours, memory, WORDS).steps
    inputs = np.stack([step.inputs[0] for step in steps])
    weights, first = ours.weights.of("candidate"), ours.begin(memory)[0][0]

    def run(embedded):
        hidden = first
        for row, rest in zip(embedded, inputs[:, E:], strict=True):
            read = np.concatenate([row, rest]) @ weights.kernel
            hidden = np.tanh(read + hidden @ weights.recurrent + weights.bias)
        return hidden

    found = tanh_influence(inputs, first, weights, E)
    np.testing.assert_allclose(found, by_differences(run, inputs[:, :E]), rtol=1e-4)
    both = fading(ours, steps)
    np.testing.assert_allclose(both.tanh, found)
    assert (both.lstm > 0).all()


@pytest.mark.slow
def test_keras_own_gradient_agrees(decoder, ours, features):
    """The norm of all derivatives, from one backward pass for each unit, on TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    tokens = np.array([[[BOS, *WORDS]]], np.int32)
    memory = decoder.remember(features[:1])
    state = [ops.reshape(part, (1, U)) for part in decoder.initial_state(memory, 1)]
    words = tf.convert_to_tensor(to_numpy(decoder.embedding(tokens)))
    with tf.GradientTape() as tape:
        tape.watch(words)
        inputs = decoder.cell_inputs(words, memory)
        outputs, _, _ = decoder.recurrent(inputs[0], initial_state=state)
        last = outputs[0, -1]
    jacobian = to_numpy(tape.jacobian(last, words))[:, 0, 0]
    theirs = np.linalg.norm(jacobian.transpose(1, 0, 2).reshape(len(WORDS) + 1, -1), axis=-1)
    mine = fading(ours, read_sentence(ours, ours.remember(features[:1]), WORDS).steps).lstm
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


# Units that follow something


SENTENCES = [["a", "red", "dog", "runs"], ["two", "dogs"], ["the", "black", "dog"]] * 12


def test_words_are_marked():
    known = {"dog", "dogs", "run", "bus"}
    rows = [["a", "red", "dogs", "runs"], ["bus"]]
    marks = {name: mark_words(rows, name, known=known).tolist() for name in PROPERTIES}
    assert marks == {
        "place": [0, 1, 2, 3, 0],
        "left": [3, 2, 1, 0, 0],
        "colour": [0, 1, 0, 0, 0],
        "plural": [0, 0, 1, 1, 0],  # what the page says: it ends in s, and is known without
        "article": [1, 0, 0, 0, 0],
    }
    assert mark_words(rows, "word", word="bus").tolist() == [0, 0, 0, 0, 1]
    with pytest.raises(QueryError, match="no property"):
        mark_words(rows, "smell")


def test_correlations_are_numpys():
    random = np.random.default_rng(0)
    activations, marks = random.normal(size=(50, 4)), random.normal(size=50)
    activations[:, 3] = 7.0
    found = correlations(activations, marks)
    expected = [np.corrcoef(activations[:, unit], marks)[0, 1] for unit in range(3)]
    np.testing.assert_allclose(found, [*expected, 0.0], atol=1e-12)


def test_words_read_together_leave_the_states_they_leave_alone(ours, features):
    rows = [[5, 9, 4], [7], [12, 4]]
    memory = ours.remember(features)
    read = read_words(ours, memory, [["w"] * len(row) for row in rows], padded(rows))
    expected = []
    for photo, row in zip(features, rows, strict=True):
        steps = read_sentence(ours, ours.remember(photo[None]), row).steps[1:]
        expected += [step.cell.hidden[0] for step in steps]
    np.testing.assert_allclose(read.activations, expected, atol=1e-12)
    assert read.sentence_of.tolist() == [0, 0, 0, 1, 2, 2]


def test_a_unit_that_follows_a_property_is_found_and_judged_by_other_sentences():
    random = np.random.default_rng(4)
    marks = mark_words(SENTENCES, "place")
    activations = random.normal(size=(len(marks), 30))
    activations[:, 17] = -2 * marks + random.normal(0, 0.1, len(marks))
    read = ReadWords(tuple(map(tuple, SENTENCES)), activations)
    best, *others = find_followers(read, marks)
    assert best.unit == 17
    assert best.found < -0.95 and best.held_out < -0.95
    assert len(others) == 2
    half = read.sentence_of % 2 == 0
    assert best.found == pytest.approx(np.corrcoef(activations[half, 17], marks[half])[0, 1])
    assert best.held_out == pytest.approx(np.corrcoef(activations[~half, 17], marks[~half])[0, 1])
    assert max(abs(other.held_out) for other in others) < 0.5  # chance, exposed by the rest


def test_what_hardly_occurs_is_not_followed():
    rows = SENTENCES[:6]
    read = ReadWords(tuple(map(tuple, rows)), np.zeros((sum(map(len, rows)), 3)))
    with pytest.raises(QueryError, match="Too few"):
        find_followers(read, mark_words(rows, "colour"))


def test_rows_are_padded_on_the_right():
    assert padded([[4, 5], [6]]).tolist() == [[4, 5], [6, PAD]]
    assert padded([]).shape == (0, 0)


def test_log_softmax_does_not_overflow():
    found = log_softmax(np.array([[1000.0, 1000.0]]))
    np.testing.assert_allclose(found, np.log(0.5))


def test_sizes_are_as_the_stand_in_says(ours, features):
    step = read_sentence(ours, ours.remember(features[:1]), ()).steps[0]
    assert step.log_probs.shape == (1, V)
    if step.look is not None:
        assert step.look.weights.shape == (1, 2, R)
    assert EOS < V
