"""A picture that is not a photo is captioned on the Caption page only when somebody asks for it."""

import pytest

from pages.ui.captions import LOOKS_LIKE


@pytest.fixture
def page(home, captioner, write_tiny_bundle, open_page):
    def opened(data):
        write_tiny_bundle(home / "models" / "tiny", metrics={"training": {"data": data}})
        return open_page()

    return opened


def uploaded(app, content):
    app.file_uploader(key="caption.upload").upload("red.jpg", content)
    return app.run()


def test_a_blank_picture_is_captioned_on_request_with_a_warning(page, jpeg, captioner):
    app = uploaded(page("flickr8k"), jpeg("red"))
    assert [warning.value for warning in app.warning] == [LOOKS_LIKE["blank"]]
    assert not app.title and not captioner.captions
    next(button for button in app.button if button.label == "Caption it anyway").click().run()
    assert [title.value for title in app.title] == [r"A red a\."]
    assert app.warning[0].value.startswith("**Not sure:**")
    app.run()
    assert app.title


def test_a_model_of_shapes_captions_drawings(page, jpeg):
    app = uploaded(page("shapes"), jpeg("red"))
    assert app.title and not app.warning
