"""A caption says what kind of picture it is about, where the model learned from photos."""

import pytest
from PIL import Image

from captioning.captioner import Captioner


@pytest.fixture
def captioner(write_tiny_bundle, tmp_path):
    def load(data):
        metrics = {"training": {"data": data}}
        return Captioner.load(write_tiny_bundle(tmp_path / data, metrics=metrics).folder)

    return load


def test_a_blank_picture_is_doubtful_to_a_model_of_photos(captioner):
    model, blank = captioner("flickr8k"), Image.new("RGB", (80, 60), "#305080")
    caption = model.caption(blank)
    assert caption.kind == "blank" and caption.doubtful
    assert caption.to_dict()["kind"] == "blank"
    assert [each.kind for each in model.caption_many([blank])] == ["blank"]


def test_a_model_of_shapes_is_not_asked_about_kinds(captioner):
    caption = captioner("shapes").caption(Image.new("RGB", (80, 60), "#305080"))
    assert caption.kind is None and not caption.doubtful
