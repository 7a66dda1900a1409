"""Opens a lesson on the models that come with the app, as a student would."""

from functools import cache
from pathlib import Path

from captioning.captioner import Captioner
from pages.ui.pictures import Picture

ROOT = Path(__file__).parents[2]


def shown(app):
    """Return all text of a page."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.info)
    text = "\n".join(element.value for kind in kinds for element in kind)
    return text.replace("\\", "")


def formulas(app):
    """Return the formulas of a lesson, as they were before they were made ready for the screen."""
    size, room = r"\displaystyle ", r"\rule[-1.15em]{0pt}{0pt}"
    found = [text.value.strip("$") for text in app.markdown if text.value.startswith("$")]
    return [latex.removeprefix(r"\Large").removeprefix(size).replace(room, "") for latex in found]


_load = cache(Captioner.load)


class LessonApp:
    """A lesson on a machine that has the model `shapes` and nothing else.

    The model is loaded once for all tests, because compiling it takes seconds.
    """

    def __init__(self, open_page, monkeypatch, shipped, key):
        shipped.mkdir()
        (shipped / "shapes").symlink_to(ROOT / "models" / "shapes")
        monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: shipped)
        monkeypatch.setattr(Captioner, "load", lambda folder: _load(ROOT / "models" / "shapes"))
        self._open, self.key, self.app = open_page, key, None

    def open(self, upload=None, **query):
        """Open the lesson as a link would."""
        app = self._open()
        if upload is not None:
            app.session_state["learn.upload"] = Picture("mine.jpg", upload)
            app.query_params["learn.photo"] = "your photo"
        for name, value in query.items():
            app.query_params[name] = value
        app.switch_page(f"pages/learn/{self.key}/page.py")
        app.default_timeout = 120
        self.app = app.run()
        assert not app.exception, app.exception
        assert not app.error, app.error
        return app

    def look(self, key):
        """Press the button of a guess."""
        self._press(f"{key}.look")

    def show(self, key):
        """Ask for the answer without a guess."""
        self._press(f"{key}.show")

    def _press(self, key):
        self.app.button(key=key).click().run()
        assert not self.app.exception, self.app.exception
        assert not self.app.error, self.app.error

    def ask(self, number):
        """Open one of the questions."""
        self.app.session_state[f"{self.key}.question{number}"] = True
        self.app.run()
        assert not self.app.exception, self.app.exception
        assert not self.app.error, self.app.error

    def tables(self):
        """Return the text of all tables."""
        return "\n".join(table.value.to_string() for table in self.app.table).replace("\\", "")
