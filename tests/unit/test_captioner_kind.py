"""A caption says what kind of picture it is about, where the model learned from photos."""

import io

import pytest
from PIL import Image

from captioning.batch import AlbumPhoto, caption_album, to_csv
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


def test_rows_of_many_photos_have_the_kind_and_its_doubt(captioner):
    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), "#305080").save(buffer, "PNG")
    album = [AlbumPhoto("blue.png", buffer.getvalue)]
    (row,) = caption_album(captioner("flickr8k"), album)
    assert row.kind == "blank" and row.doubtful
    assert ",blank" in to_csv([row])
    (row,) = caption_album(captioner("shapes"), album)
    assert not row.kind and not row.doubtful
