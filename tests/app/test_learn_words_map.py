"""The map of words in the lesson on words: labels that can be read."""

from itertools import combinations

import numpy as np
import pytest

from captioning.lessons.words import WordMap
from pages.learn.words.drawing import draw_map
from pages.ui.theme import PAPER


@pytest.fixture(params=[10.0, 14.0], ids=["screen", "projector"])
def crowd(request):
    """Eight neighbours in a heap among forty other words, drawn."""
    from dataclasses import replace

    lots = np.random.default_rng(0)
    places = np.concatenate([lots.normal(0, 0.05, (9, 2)), lots.normal(0, 1, (40, 2))])
    words = tuple(f"neighbour{n}" for n in range(9)) + tuple(f"word{n}" for n in range(40))
    found = WordMap(words=words, places=places, shares=(0.3, 0.2))
    drawn = draw_map(found, words[:9], replace(PAPER, font_size=request.param))
    drawn.canvas.draw()
    return words, drawn.axes[0].texts, drawn


def test_neighbours_all_have_a_label_and_stand_out(crowd):
    words, labels, _ = crowd
    bold = [label.get_text() for label in labels if label.get_fontweight() == "bold"]
    assert bold == list(words[:9])
    assert len(labels) > 30


def test_no_label_covers_another_or_leaves_the_picture(crowd):
    _, labels, drawn = crowd
    # The box of an annotation without its line.
    boxes = [super(type(label), label).get_window_extent() for label in labels]
    for one, other in combinations(boxes, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(width, height) < 3  # pixels
    for box in boxes:
        assert box.x0 >= 0 and box.x1 <= drawn.bbox.width and box.y0 >= 0
