"""What the lesson on attention shows: forced looks, single regions, and the formula's numbers."""

import re

import numpy as np
import pytest
from keras import ops
from lesson_decoders import GRID, R, U, V, make, photos, plain

from captioning.backend import to_numpy
from captioning.errors import QueryError
from captioning.lessons.attention import Box, box_look, look_formulas, words_by_region
from captioning.lessons.numpy_decoder import read_sentence, softmax, write_greedily
from captioning.vocabulary import BOS

WORDS = (5, 9, 4)


@pytest.fixture(scope="module")
def decoder():
    return make("attention")


@pytest.fixture(scope="module")
def ours(decoder):
    return plain(decoder)


@pytest.fixture(scope="module")
def memory(ours):
    return ours.remember(photos(1))


def test_a_box_is_looked_at_evenly():
    look = box_look(GRID, Box(top=1, left=1, height=1, width=2))
    assert look.tolist() == [0, 0, 0, 0, 0.5, 0.5]
    assert box_look(GRID, Box(0, 0, *GRID)).tolist() == pytest.approx([1 / 6] * 6)


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0, 1), Box(2, 0, 1, 1), Box(0, 2, 1, 2), Box(-1, 0, 1, 1)]
)
def test_a_box_must_lie_on_the_photo(box):
    with pytest.raises(QueryError, match="2 rows and 3 columns"):
        box_look(GRID, box)


def test_looking_as_the_model_would_have_changes_nothing(ours, memory):
    free = read_sentence(ours, memory, WORDS).steps[-1]
    again = ours.step(
        free.tokens,
        (free.cell.hidden_before, free.cell.cell_before),
        memory,
        force=free.look.weights,
    )
    np.testing.assert_allclose(again.log_probs, free.log_probs, atol=1e-12)
    np.testing.assert_array_equal(again.look.free, free.look.weights)


def test_a_forced_look_gives_what_the_decoder_s_own_layers_give(decoder, ours, memory):
    """Keras' layers, with the weights put in by hand where its softmax stands."""
    force = box_look(GRID, Box(0, 1, 2, 1))
    keras_memory = decoder.remember(photos(1))
    state = decoder.initial_state(keras_memory, 1)
    tokens = ops.convert_to_tensor(np.array([[BOS]], np.int32))
    _, (hidden, _), _ = decoder.step(tokens, state, keras_memory)
    values = to_numpy(keras_memory["values"])[0]  # (R, H, U/H)
    seen = np.einsum("r,rhd->hd", force, values).reshape(1, U)
    both = np.concatenate([to_numpy(hidden)[0], seen], axis=-1).astype(np.float32)
    expected = to_numpy(decoder.vocabulary(decoder.mix(both)))
    step = ours.step(np.array([BOS]), ours.begin(memory), memory, force=force)
    np.testing.assert_allclose(step.logits, expected, atol=1e-5)
    np.testing.assert_allclose(step.look.weights[0], [force, force])
    assert np.abs(step.look.free - step.look.weights).max() > 0.05


def test_forcing_the_look_changes_words_but_not_what_was_read(ours, memory):
    free = ours.step(np.array([BOS]), ours.begin(memory), memory)
    force = box_look(GRID, Box(1, 0, 1, 1))
    forced = ours.step(np.array([BOS]), ours.begin(memory), memory, force=force)
    np.testing.assert_array_equal(free.cell.hidden, forced.cell.hidden)
    assert np.abs(free.log_probs - forced.log_probs).max() > 1e-2


def test_a_look_is_forced_at_one_place_or_from_there_on(ours, memory):
    force = box_look(GRID, Box(1, 2, 1, 1))
    once = write_greedily(ours, memory, begun=WORDS, force=force, forced_at=len(WORDS))
    on = write_greedily(ours, memory, begun=WORDS, force=force)
    for written, forced in ((once, lambda t: t == 3), (on, lambda t: t >= 3)):
        assert written.ids[:3] == WORDS
        for place, step in enumerate(written.steps):
            same = np.allclose(step.look.weights, force)
            assert same == forced(place), place


def test_words_by_region_are_looks_at_one_region_each(ours, memory):
    state = ours.begin(memory)
    found = words_by_region(ours, memory, BOS, state)
    assert found.shape == (R, V)
    for region in range(R):
        alone = ours.step(np.array([BOS]), state, memory, force=np.eye(R)[region])
        np.testing.assert_allclose(found[region], alone.log_probs[0], atol=1e-12)


@pytest.mark.parametrize("kind", ["merge", "inject"])
def test_a_kind_without_attention_says_so(kind):
    other = plain(make(kind))
    memory = other.remember(photos(1))
    step = other.step(np.array([BOS]), other.begin(memory), memory)
    assert step.look is None
    with pytest.raises(QueryError, match=kind):
        words_by_region(other, memory, BOS, other.begin(memory))
    with pytest.raises(QueryError, match="without attention"):
        look_formulas(step, memory, 0, 0)


NUMBER = re.compile(r"-?\d+\.\d{3}")


@pytest.mark.parametrize("head", [0, 1])
@pytest.mark.parametrize("region", [0, R - 1])
def test_the_numbers_of_the_formula_follow_from_query_and_keys(ours, memory, head, region):
    step = read_sentence(ours, memory, WORDS).steps[2]
    formulas = look_formulas(step, memory, head, region)
    query, key = step.look.query[0, head], memory.keys[0, head, region]
    *factors, result = map(float, NUMBER.findall(formulas.product))
    product, root, score = map(float, NUMBER.findall(formulas.score))
    assert result == product
    shown = np.stack([query[:3], key[:3]], axis=1).ravel()
    np.testing.assert_allclose(factors, shown, atol=5.1e-4)
    assert product == pytest.approx(query @ key, abs=5.1e-4)
    assert root == pytest.approx(np.sqrt(len(query)), abs=5.1e-4)
    assert score == pytest.approx(product / root, abs=2e-3)

    scores = np.array([query @ k for k in memory.keys[0, head]]) / np.sqrt(len(query))
    mine, top, _, above, below, weight = map(float, NUMBER.findall(formulas.weight))
    assert mine == score
    assert top == pytest.approx(scores.max(), abs=5.1e-4)
    assert above == pytest.approx(np.exp(scores[region] - scores.max()), abs=5.1e-4)
    assert below == pytest.approx(np.exp(scores - scores.max()).sum(), abs=5.1e-4)
    assert weight == pytest.approx(softmax(scores)[region], abs=5.1e-4)
    assert weight == pytest.approx(step.look.weights[0, head, region], abs=5.1e-4)
