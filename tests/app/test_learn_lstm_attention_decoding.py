"""The lessons on the LSTM, attention and decoding, on the small model that comes with the app."""

import re
from pathlib import Path

import numpy as np
import pytest
from lesson_app import formulas
from streamlit.testing.v1 import AppTest

from captioning.config import DecoderConfig

ROOT = Path(__file__).parents[2]
LESSONS = ("lstm", "attention", "decoding")


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Only the small model that comes with the app is there."""
    folder = tmp_path / "only-shapes"
    folder.mkdir()
    (folder / "shapes").symlink_to(ROOT / "models" / "shapes")
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: folder)


@pytest.fixture
def write_kind(home, write_tiny_bundle):
    """A function that adds a model with random weights and any kind of decoder."""
    from captioning.arrays import weights_of
    from captioning.decoders import build_decoder

    def write(kind, shape=(64, 64)):
        config = DecoderConfig(
            kind=kind, embedding_size=8, units=16, heads=2, dropout=0.0, max_length=8
        )
        decoder = build_decoder(config, vocabulary_size=21, feature_shape=shape)
        random = np.random.default_rng(3)
        for variable in decoder.trainable_variables:
            variable.assign(random.normal(0, 0.5, variable.shape))
        return write_tiny_bundle(
            home / "models" / f"tiny-{kind}",
            decoder=config,
            decoder_arrays=weights_of(decoder),
            feature_shape=shape,
        )

    return write


def open_lesson(key, model="shapes", **query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    app.query_params["learn.model"] = model
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    app.switch_page(f"pages/learn/{key}/page.py")
    app.run()
    assert not app.exception
    return app


def text_of(app):
    """All the text of a page."""
    kinds = (app.markdown, app.caption, app.header, app.subheader, app.info, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def press(app, key):
    app.button(key).click()
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("key", LESSONS)
def test_a_lesson_opens_on_the_model_that_comes_with_the_app(shipped, key):
    app = open_lesson(key)
    text = text_of(app)
    assert not app.error
    assert "First guess" in text
    assert "Three questions" in text
    assert text.count("arxiv.org") + text.count("doi.org") >= 4


@pytest.mark.slow
@pytest.mark.parametrize("key", LESSONS)
def test_every_question_is_answered_by_the_live_model(shipped, monkeypatch, key):
    answers = []
    monkeypatch.setattr(
        "pages.learn.frame.LessonPage.questions",
        lambda self, questions: answers.extend(question.answer() for question in questions),
    )
    app = open_lesson(key)
    assert not app.error
    assert len(answers) == 3
    for answer in answers:
        assert re.search(r"\*\*.+\*\*", answer) and re.search(r"\d", answer), answer


@pytest.mark.slow
@pytest.mark.parametrize("key", LESSONS)
@pytest.mark.parametrize("kind", ["merge", "inject", "attention"])
def test_a_lesson_opens_on_any_kind_of_decoder(write_kind, key, kind):
    bundle = write_kind(kind)
    app = open_lesson(key, model=bundle.name)
    assert not app.error
    if key == "attention" and kind != "attention":
        text = text_of(app)
        assert "without attention" in text
        assert "There is no model with attention here" in text


class Pooled:
    """An encoder that gives one vector of the whole photo."""

    feature_shape, grid = (64,), None

    def __init__(self, whole):
        self.config, self.pixels, self._whole = whole.config, whole.pixels, whole

    def encode(self, pixels):
        return self._whole.encode(pixels).mean(axis=1)


@pytest.mark.parametrize("key", LESSONS)
def test_pooled_features_serve_too(write_kind, monkeypatch, key):
    """One vector of the whole photo leaves nothing to attend, and all else to learn."""
    import captioning.networks

    load = captioning.networks.open_encoder
    monkeypatch.setattr(
        captioning.networks, "open_encoder", lambda *args, **more: Pooled(load(*args, **more))
    )
    bundle = write_kind("inject", shape=(64,))
    app = open_lesson(key, model=bundle.name)
    assert not app.error


# The LSTM


@pytest.mark.slow
def test_the_word_that_changes_most_is_guessed(shipped):
    app = open_lesson("lstm")
    assert "The memory through the sentence" not in text_of(app)
    words = app.radio("lstm.changed.guess").options
    app.radio("lstm.changed.guess").set_value(words[0])
    press(app, "lstm.changed.look")
    text = text_of(app)
    assert "You guessed" in text and "The answer is" in text
    assert "The memory through the sentence" in text


def test_the_formulas_are_those_of_the_word_and_unit_chosen(shipped):
    app = open_lesson("lstm")
    first = formulas(app)
    assert len(first) == 12 + 4  # each in letters and in numbers; and the four of a GRU
    assert first[0].startswith(r"f = \sigma(x W_f")
    app.number_input("lstm.unit").set_value(3).run()
    assert formulas(app)[1] != first[1]
    app.slider("learn.step").set_value(4).run()
    assert "Unit 3 step by step" in text_of(app)
    cell = formulas(app)[9]
    f, before, i, g, after = map(float, re.findall(r"-?\d+\.\d{3}", cell))
    assert after == pytest.approx(f * before + i * g, abs=0.01)


@pytest.mark.slow
def test_holding_a_gate_changes_the_sentence_and_freeing_it_restores_it(shipped):
    app = open_lesson("lstm")
    usual, held = sentences(app)
    assert usual != held  # the forget gate is held at 0 to begin with
    app.segmented_control("lstm.forget").set_value("as learned").run()
    assert sentences(app) == [usual, usual]
    app.segmented_control("lstm.input").set_value("0").run()
    again, other = sentences(app)
    assert again == usual and other != usual


def sentences(app):
    """The two sentences side by side, without the marks of what differs."""
    shown = [str(element.value) for element in app.subheader]
    start = shown.index("Hold a gate at a value") + 1
    bare = [re.sub(r":primary-background\[(.*?)\]", r"\1", text) for text in shown]
    return bare[start : start + 2]


@pytest.mark.slow
def test_units_are_found_on_the_captions_of_the_data_set(shipped):
    app = open_lesson("lstm")
    press(app, "lstm.read_sentences")
    table = app.table[0].value
    chosen_by, others = (
        [float(value.replace("\\", "")) for value in table[column]]
        for column in list(table.columns)[1:]
    )
    assert abs(chosen_by[0]) >= abs(chosen_by[-1])
    assert abs(others[0]) > 0.5  # a trained LSTM has a unit that counts words
    unit = int(table.iloc[0, 0])
    press(app, "lstm.open_unit")
    assert app.number_input("lstm.unit").value == unit
    app.selectbox("lstm.property").set_value("colour").run()
    assert not app.exception
    app.selectbox("lstm.property").set_value("word").run()
    app.text_input("lstm.word").set_value("xylophone").run()
    assert "Too few of the words read" in text_of(app)


@pytest.mark.slow
def test_a_longer_reading_fades_further(shipped):
    app = open_lesson("lstm")
    text = text_of(app)
    assert "was never trained separately" in text
    app.slider("lstm.times").set_value(3).run()
    assert not app.exception
    assert "never saw a sentence this long" in text_of(app)


# Attention


def test_the_maps_come_after_the_guess(shipped):
    app = open_lesson("attention")
    assert "Where it looked for each word" not in text_of(app)
    app.radio("attention.where.guess").set_value("top left")
    press(app, "attention.where.look")
    text = text_of(app)
    assert "Where it looked for each word" in text
    first, second, third = formulas(app)
    assert first.startswith(r"q \cdot k_{")
    assert second.startswith("e_{") and third.startswith(r"\alpha_{")
    app.segmented_control("attention.head.4").set_value(2).run()
    assert formulas(app)[0] != first


@pytest.mark.slow
def test_looking_elsewhere_gives_other_words(shipped):
    app = open_lesson("attention")
    seen = set()
    for rows in ((1, 2), (3, 6), (7, 8)):
        for columns in ((1, 2), (5, 6), (7, 8)):
            app.slider("attention.rows").set_value(rows)
            app.slider("attention.columns").set_value(columns).run()
            assert not app.exception
            seen |= {text for text in text_of(app).split("\n") if text.startswith("With your")}
    assert len(seen) > 3
    app.toggle("attention.tint").set_value(True).run()
    assert "How many regions would give each word" in text_of(app)
    app.segmented_control("attention.holds").set_value("all words from here").run()
    assert "It continues:" in text_of(app)


def test_another_model_lends_its_attention_and_kinds_stand_side_by_side(shipped, write_kind):
    merge = write_kind("merge")
    app = open_lesson("attention", model=merge.name)
    text = text_of(app)
    assert "has a decoder of the kind merge, without attention" in text.replace("\\", "")
    assert "Choose where it looks" in text  # shown with the model that has it
    assert "There is no model of the kind inject here" in text
    app.toggle("attention.kinds").set_value(True).run()
    assert not app.exception
    text = text_of(app).replace("\\", "")
    assert f"**{merge.name}**, encoder compact" in text and "**shapes**, encoder compact" in text


# Decoding


def test_the_next_word_is_guessed_and_then_cut(shipped):
    app = open_lesson("decoding", learn__step="3")
    assert "temperature, top-k and top-p" not in text_of(app)
    app.text_input("decoding.next.guess").set_value("circle")
    press(app, "decoding.next.look")
    text = text_of(app)
    assert "You guessed **circle**" in text
    assert "All 45 words and the end can be drawn" in text
    app.slider("decoding.top_k").set_value(2).run()
    assert "2 of 45 words and the end can be drawn" in text_of(app)
    app.slider("decoding.temperature").set_value(2.0).run()
    assert "2.000" in formulas(app)[0]


def test_sentences_drawn_follow_number_and_temperature(shipped):
    app = press(open_lesson("decoding"), "decoding.next.show")
    drawn = list(app.table[0].value["drawn"])
    assert len(drawn) == 5
    app.number_input("decoding.seed").set_value(2).run()
    assert list(app.table[0].value["drawn"]) != drawn
    app.number_input("decoding.seed").set_value(1).run()
    assert list(app.table[0].value["drawn"]) == drawn


def test_the_beam_ends_with_as_many_sentences_as_it_is_wide(shipped):
    app = press(open_lesson("decoding"), "decoding.next.show")
    for width in (1, 3, 5):
        app.slider("decoding.width").set_value(width).run()
        ranked = app.table[1].value
        assert len(ranked) == width
        scores = [float(value.replace("\\", "")) for value in ranked["score"]]
        assert scores == sorted(scores, reverse=True)
        assert f"{scores[0]:.3f}" in formulas(app)[-1]


def test_the_best_of_the_beam_is_the_caption(shipped):
    from captioning.bundle import read_bundle

    usual = read_bundle(ROOT / "models" / "shapes").decoding
    app = press(open_lesson("decoding"), "decoding.next.show")
    app.slider("decoding.width").set_value(usual.beam_width).run()
    best = app.table[1].value["sentence"][0]
    lstm = open_lesson("lstm")
    shown = next(str(m.value) for m in lstm.markdown if str(m.value).startswith("### "))
    assert re.sub(r":primary-background\[\*\*(.*?)\*\*\]", r"\1", shown)[4:] == best


def test_examples_where_greedy_loses_are_found_in_the_data(shipped):
    app = open_lesson("decoding")
    assert "the beam wrote a different, likelier sentence" not in text_of(app)
    press(app, "decoding.look_through")
    text = text_of(app)
    count = re.search(r"likelier sentence (\d+) times.*?(\d+) are closer.*?(\d+) are further", text)
    likelier, better, worse = map(int, count.groups())
    assert better + worse <= likelier <= 20
    assert text.count("**Greedy:**") == text.count("**Beam of 3:**") == min(better, 2)


def test_captions_that_begin_alike_go_on():
    from pages.learn.decoding.page import continuations

    captions = ("A red kite.", "A red dog", "a RED dog!", "a red")
    assert continuations(captions, ["a", "red"]) == ["dog", "kite"]
    assert continuations(captions, ["two"]) == []
