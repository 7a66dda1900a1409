"""Correcting the captions of many photos, and taking corrections back."""

import pytest

from captioning.batch import PERSON, Corrections, Row


@pytest.fixture
def table():
    found = Corrections()
    for photo, caption in (("a", "a dog runs"), ("b", "A Dog and a hotdog"), ("c", "")):
        found.add(Row(photo, caption, -1.0, by="tiny"))
    return found


def captions(table):
    return [row.caption for row in table.rows.values()]


def test_a_correction_is_a_persons_and_can_be_undone(table):
    before = dict(table.rows)
    assert table.correct("a", " a cat runs ") and not table.correct("a", "a cat runs")
    assert not table.correct("b", "  ")
    assert (table.rows["a"].caption, table.rows["a"].by) == ("a cat runs", PERSON)
    assert [c.before.caption for c in table.changes] == ["a dog runs"]
    assert table.undo() == 1 and table.undo() == 0
    assert table.rows == before and not table.changes


def test_whole_words_are_replaced_in_all_captions_and_undone_at_once(table):
    before = captions(table)
    assert table.replace("dog", "cat") == 2
    assert captions(table) == ["a cat runs", "A cat and a hotdog", ""]
    assert table.replace("zebra", "cat") == table.replace(" ", "cat") == 0
    assert [c.after.photo for c in table.changes] == ["b", "a"]  # the last one first
    assert table.undo() == 2 and captions(table) == before


def test_what_is_replaced_is_text_and_no_pattern(table):
    table.correct("a", "a (dog) runs")
    assert table.replace("(dog)", r"\1 cat") == 1
    assert table.rows["a"].caption == r"a \1 cat runs"


def test_nothing_is_left_after_clearing(table):
    table.correct("a", "a cat")
    table.clear()
    assert not table.rows and not table.changes


def test_a_caption_is_accepted_until_it_changes(table):
    table.accept("a")
    assert table.accepted == {"a"}
    table.replace("dog", "cat")
    assert not table.accepted
    with pytest.raises(KeyError):
        table.accept("z")


def test_the_history_of_a_caption_says_how_it_changed(table):
    table.correct("a", "a cat runs")
    table.replace("cat", "fox")
    table.correct("b", "a bird")
    changes = table.history("a")
    assert [(c.before.caption, c.after.caption, c.replaced) for c in changes] == [
        ("a dog runs", "a cat runs", False),
        ("a cat runs", "a fox runs", True),
    ]
    table.undo()
    table.undo()
    assert [c.after.caption for c in table.history("a")] == ["a cat runs"]
    assert not table.history("b")
