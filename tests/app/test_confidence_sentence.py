"""The sentence below a caption that says how often captions of its level are good."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from captioning.calibration.fitting import GOOD
from captioning.caption import Caption
from captioning.config import DecodingConfig

CAPTION = Caption("a dog runs", -3.0, (), (), "tiny", 0.1, DecodingConfig())


def shown(**judged):
    """Return what the page shows: the kind of element, its text, and its help."""

    def script(caption):
        from pages.ui.captions import show_sureness

        show_sureness(caption)

    app = AppTest.from_function(script, args=(replace(CAPTION, **judged),)).run()
    assert not app.exception
    return [
        (element.type, element.value, element.proto) for element in [*app.caption, *app.warning]
    ]


@pytest.mark.parametrize(
    ("level", "label", "meaning"),
    [
        ("sure", "Sure", "most captions with this mark describe the photo well"),
        ("fairly sure", "Fairly sure", "about half of the captions with this mark are good"),
    ],
)
def test_a_caption_says_how_often_its_level_is_good_and_what_good_means(level, label, meaning):
    ((kind, text, proto),) = shown(level=level, familiar=True, confidence=0.5)
    assert kind == "caption"
    assert f"**{label}:** {meaning}" in text
    assert f"scores at least {100 * GOOD:.0f} in CIDEr" in proto.help
    assert "photos the model did not learn from" in proto.help


def test_a_doubtful_caption_is_a_warning():
    ((kind, text, _),) = shown(level="not sure", familiar=True, confidence=0.1)
    assert kind == "warning"
    assert text == "**Not sure:** most captions with this mark have mistakes."


@pytest.mark.parametrize(
    ("judged", "reason"),
    [
        ({"level": "not sure", "familiar": False}, "unlike the photos the model learned from"),
        ({"level": "sure", "familiar": True, "kind": "drawing"}, "probably not a photo"),
    ],
)
def test_an_unusual_picture_says_why_its_caption_is_doubtful(judged, reason):
    ((kind, text, _),) = shown(**judged)
    assert kind == "warning" and text.startswith("**Not sure:**") and reason in text


def test_without_calibration_there_is_no_sentence():
    assert shown() == []
