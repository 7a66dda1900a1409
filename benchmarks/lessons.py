"""Measure how fast lessons open and respond: every lesson and every control, on the server.

    python benchmarks/lessons.py [--model NAME] [--json]

The model is loaded first.  Then each lesson is opened once, as for a new visitor, and each of its
sliders, switches and choices is changed once and timed; buttons that start long tasks are skipped.
Rendering in the browser is not included.  Targets: 2 s to open, 300 ms for a control.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.runtime.state.common import TESTING_KEY

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import open_app, own_data  # noqa: E402

OPEN_SECONDS, CONTROL_SECONDS = 2.0, 0.3
SUBJECT = ("learn.model", "learn.photo", "learn.upload", "learn.projector")
"""Controls that choose another photo or model and reload the lesson."""


def main() -> None:
    """Measure with an empty data folder, and print a line for each lesson and each slow control."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a bundle's name; by default the app's own choice")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    options = parser.parse_args()
    with own_data():
        rows = list(measure(options.model))
        usual, clearing, after = (1000 * seconds for seconds in _clearing(options.model))
    for row in rows:
        controls = row["controls"]
        slow = {name: ms for name, ms in controls.items() if ms > 1000 * CONTROL_SECONDS}
        slowest = max(controls.values(), default=0)
        print(
            f"{row['lesson']:>10}  opened in {row['open_s']:.2f} s  "
            f"{len(controls):2d} controls, slowest {slowest:4.0f} ms"
        )
        for name, milliseconds in slow.items():
            print(f"{'':>14}{milliseconds:4.0f} ms  {name}")
    print(
        f"a photo is encoded in {usual:.0f} ms; with Keras' session cleared as Streamlit does it, "
        f"which takes {clearing:.0f} ms, in {after:.0f} ms"
    )
    print(f"load {os.getloadavg()[0]:.1f}")
    if options.json:
        print(json.dumps(rows))


def measure(model: str | None) -> Iterator[dict[str, Any]]:
    """Open the lessons in their order, and yield the time of each."""
    from pages.learn.lessons import LESSONS

    app = open_app()
    if model:
        app.query_params["learn.model"] = model
    _draw(app, "pages/learn/overview/page.py")  # loads the model
    app.switch_page("pages/learn/learn.py").run()
    for lesson in LESSONS:
        seconds = _draw(app, lesson.path)
        yield {
            "lesson": lesson.key,
            "open_s": round(seconds, 3),
            "controls": {name: round(1000 * took, 1) for name, took in _controls(app)},
        }


def _controls(app: Any) -> Iterator[tuple[str, float]]:
    """Change each control of the open page, and yield its name and the seconds."""
    names = [(kind, widget.key) for kind in _KINDS for widget in app.get(kind)]
    for kind, key in names:
        found = [widget for widget in app.get(kind) if widget.key == key]
        if not found or key in SUBJECT or found[0].disabled:
            continue
        other = _KINDS[kind](found[0])
        if other is None:
            continue
        if kind in _CHOICES:
            # AppTest would format the label again; this makes it the value and its label at once.
            found[0].root.session_state[TESTING_KEY][found[0].id] = lambda label: label
        found[0].set_value(other)
        begun = time.perf_counter()
        app.run()
        yield f"{found[0].label} ({kind})", time.perf_counter() - begun
        _check(app)


def _clearing(model: str | None) -> tuple[float, float, float]:
    """Return the seconds of encoding a photo, of clearing Keras' session, and of encoding then.

    The pages prevent Streamlit from clearing it after each run; here it is cleared explicitly.
    """
    import keras

    from pages.ui import cache

    models = cache.models()
    captioner = cache.captioner(models[model] if model else next(iter(models.values())))
    size = int(captioner.encoder.config.input_size or 0)
    pixels = np.zeros((1, size, size, 3), np.uint8)

    def encode() -> None:
        captioner.encode_squares(pixels)

    encode()
    gc.unfreeze()
    return _seconds(encode), _seconds(keras.utils.clear_session), _seconds(encode)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _draw(app: Any, page: str) -> float:
    begun = time.perf_counter()
    app.switch_page(page).run()
    took = time.perf_counter() - begun
    _check(app)
    return took


def _check(app: Any) -> None:
    if app.exception:
        raise SystemExit(f"A page failed: {app.exception[0].value}")


def _another_number(widget: Any) -> Any:
    if isinstance(widget.value, (tuple, list)):
        return None
    step = widget.step or 1
    return widget.value + step if widget.value + step <= widget.max else widget.value - step


def _another_choice(widget: Any) -> Any:
    """Return the label of a choice that is not selected."""
    values = widget.value if isinstance(widget.value, list) else [widget.value]
    taken = [widget.format_func(value) for value in values if value is not None]
    options = [getattr(option, "content", option) for option in widget.options]
    free = [label for label in options if label not in taken]
    if not free:
        return None
    return [free[0]] if isinstance(widget.value, list) else free[0]


_CHOICES = ("selectbox", "radio", "select_slider", "button_group")
_KINDS = {
    "slider": _another_number,
    "number_input": _another_number,
    "select_slider": _another_choice,
    "selectbox": _another_choice,
    "radio": _another_choice,
    "button_group": _another_choice,
    "toggle": lambda widget: not widget.value,
    "checkbox": lambda widget: not widget.value,
}


if __name__ == "__main__":
    main()
