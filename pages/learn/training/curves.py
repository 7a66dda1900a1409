"""Two curves and chance, in the lesson on training."""

import time
from typing import TYPE_CHECKING

import streamlit as st

from captioning.lessons.training import Curve, Spread, read_curve, spread_of
from pages.learn.frame import LessonPage
from pages.learn.guessing import Answer
from pages.learn.training import data
from pages.learn.training.drawing import draw_curve, draw_runs

if TYPE_CHECKING:
    from captioning.training.seeds import SeedRun

__all__ = ["show_chance", "show_curves", "show_overfitting"]

LAST, EARLIER = "the last epoch", "an earlier one"
FALLS, RISES = "it falls to the end", "it falls, then rises"
_EPOCHS = {8: 60, 40: 40, 160: 12}
_DIFFERS = {"both": "", "first weights alone": "order", "order alone": "weights"}
_SEEDS = 5
_SEED_PHOTOS, _SEED_EPOCHS = 160, 10
_WIDTHS = ((1.0, "under 1"), (5.0, "1 to 5"), (15.0, "5 to 15"), (1e9, "over 15"))


def show_curves(page: LessonPage) -> None:
    """Show the two losses of a real run."""
    curves = data.curves_at_hand()
    if not curves:
        return
    page.heading("Two curves of a real run")
    name = st.selectbox("Run or model", list(curves), key="training.curve", bind="query-params")
    curve = curves[name]
    answer = page.guess(
        "best",
        f"This run had {len(curve.epochs)} epochs. In which was the loss on the dev photos, which "
        "it never learns from, lowest?",
        lambda: _best(curve),
        options=(LAST, EARLIER),
        about=name,
    )
    if answer is None:
        return
    page.picture(
        lambda look: draw_curve(curve, ("training", "dev"), look),
        key=("curve", name, len(curve.epochs), curve.last.dev),
        alt=_spoken(curve),
        width=720,
    )
    _gap(page, curve)
    page.aside(
        "While it learns, numbers are dropped at random (dropout) and the target may be smoothed, "
        "so the training loss is measured under harder conditions than the dev loss and may lie "
        "above it: the gap is then below 0."
    )


def _best(curve: Curve) -> Answer:
    best, last = curve.best, curve.last
    because = f"Epoch {best.epoch} had {best.dev:.3f} nats a word, the last one {last.dev:.3f}."
    return Answer((LAST if best == last else EARLIER,), because=because)


def _gap(page: LessonPage, curve: Curve) -> None:
    last = curve.last
    page.formula(
        rf"\mathrm{{gap}} = {last.dev:.3f} - {last.train:.3f} = {last.gap:.3f} \qquad "
        rf"e^{{{last.dev:.3f}}} = {last.perplexity:.2f}"
    )
    page.text(
        "The gap at the end is what the model does better on photos it learned from"
        + (". " if last.gap > 0 else "; below 0 it does worse there, see below. ")
        + f"e to the loss says it is as unsure as if it chose among {last.perplexity:.1f} equally "
        "likely words at each place."
    )


def _spoken(curve: Curve) -> str:
    first, last, best = curve.epochs[0], curve.last, curve.best
    return (
        f"Loss over {len(curve.epochs)} epochs: on what it learns from {first.train:.2f} at first "
        f"and {last.train:.2f} at last, on other photos {first.dev:.2f} and {last.dev:.2f}, lowest "
        f"{best.dev:.2f} in epoch {best.epoch}."
    )


def show_overfitting(page: LessonPage) -> None:
    """Train a small decoder here and now, on as few photos as the student likes."""
    page.heading("Overfitting, made on purpose")
    photos = st.segmented_control(
        "Photos to learn from", list(_EPOCHS), default=8, required=True, key="training.photos"
    )
    epochs = _EPOCHS[photos]
    answer = page.guess(
        "overfit",
        f"A small decoder learns {photos} drawn pictures in {epochs} epochs, here and now (some "
        "seconds). What does its loss on 40 other pictures do?",
        lambda: _fate(_trained(photos)),
        options=(FALLS, RISES),
        about=photos,
    )
    if answer is None:
        return
    curve = _trained(photos)
    page.picture(
        lambda look: draw_curve(curve, ("pictures it learns", "other pictures"), look),
        key=("overfit", photos, curve.last.dev),
        alt=_spoken(curve),
        width=720,
    )
    page.formula(
        rf"\mathrm{{gap}} = {curve.last.dev:.3f} - {curve.last.train:.3f} = {curve.last.gap:.3f}"
        rf" \qquad \mathrm{{rise}} = {curve.last.dev:.3f} - {curve.best.dev:.3f} "
        rf"= {curve.rise:.3f}"
    )
    page.code("captioning.training.seeds", "SeedStudy.run")


def _trained(photos: int) -> Curve:
    with st.spinner("Training a small decoder…"):
        run = data.seed_run(0, photos, _EPOCHS[photos], "")
    rows = zip(run.losses, run.held_out_losses, strict=True)
    history = [{"epoch": n, "loss": a, "dev_loss": b} for n, (a, b) in enumerate(rows, start=1)]
    curve = read_curve(history)
    if curve is None:  # a loss that is no number has been refused while it trained
        raise LookupError("a run without epochs")
    return curve


def _fate(curve: Curve) -> Answer:
    """Say whether the loss rose by more than a hundredth after its lowest point."""
    rises = curve.rise > 0.01
    because = (
        f"It is lowest in epoch {curve.best.epoch} ({curve.best.dev:.3f}) and ends at "
        f"{curve.last.dev:.3f}, while the loss on what it learns ends at {curve.last.train:.3f}."
    )
    return Answer((RISES if rises else FALLS,), because=because)


def show_chance(page: LessonPage) -> None:
    """Train the same decoder several times, with nothing but the seed changed."""
    page.heading("What chance does")
    page.text(
        f"{_SEEDS} trainings with equal settings: {_SEED_PHOTOS} drawn pictures, {_SEED_EPOCHS} "
        "epochs. Only chance differs: the first weights and the order of the photos."
    )
    differs = st.segmented_control(
        "What differs",
        list(_DIFFERS),
        default="both",
        required=True,
        key="training.same",
    )
    same = _DIFFERS[differs]
    answer = page.guess(
        "chance",
        "How far apart do the best and the worst of the five lie, in points of BLEU-4 on 40 other "
        "pictures? The first time they are trained here and now: half a minute or more.",
        lambda: _width(_runs(same)),
        options=tuple(name for _, name in _WIDTHS),
        about=same,
    )
    if answer is not None:
        _show_runs(page, same, _runs(same))


def _runs(same: str) -> "list[SeedRun]":
    """Run them one after another; those done before come from the cache."""
    place, begun = st.empty(), time.monotonic()
    runs: list[SeedRun] = []
    for seed in range(1, _SEEDS + 1):
        left = seconds_left(time.monotonic() - begun, len(runs), _SEEDS)
        text = f"Training with seed {seed} of {_SEEDS}…{left}"
        place.progress(len(runs) / _SEEDS, text=text)
        runs.append(data.seed_run(seed, _SEED_PHOTOS, _SEED_EPOCHS, same))
    place.empty()
    return runs


def seconds_left(spent: float, done: int, of: int) -> str:
    """Say how long the rest will take if it goes on as it went so far; nothing at the start.

    >>> seconds_left(12.0, 2, 5)
    ' About 18 s left.'
    """
    return f" About {spent / done * (of - done):.0f} s left." if done else ""


def _width(runs: "list[SeedRun]") -> Answer:
    spread = _spread(runs)
    name = next(name for most, name in _WIDTHS if spread.width < most)
    low, high = min(spread.values), max(spread.values)
    return Answer((name,), because=f"The worst has {low:.1f}, the best {high:.1f}.")


def _spread(runs: "list[SeedRun]") -> Spread:
    spread = spread_of([run.bleu_4 for run in runs])
    if spread is None:
        raise LookupError("a spread takes two runs")
    return spread


def _show_runs(page: LessonPage, same: str, runs: "list[SeedRun]") -> None:
    spread = _spread(runs)
    told = (f"seed {r.seed} {r.held_out_losses[-1]:.3f} and {r.bleu_4:.1f}" for r in runs)
    page.picture(
        lambda look: draw_runs(runs, spread, look),
        key=("runs", same, tuple(run.held_out_losses[-1] for run in runs)),
        alt=f"Loss on other pictures after the last epoch, and BLEU-4: {', '.join(told)}.",
        width=820,
    )
    page.table(
        {
            "seed": [str(run.seed) for run in runs],
            "loss, held out": [f"{run.held_out_losses[-1]:.3f}" for run in runs],
            "BLEU-4": [f"{run.bleu_4:.1f}" for run in runs],
            "CIDEr-D": [f"{run.cider:.1f}" for run in runs],
            "of one and the same picture it says": [run.captions[0] for run in runs],
        }
    )
    page.formula(spread.mean_formula())
    page.formula(spread.variance_formula())
    page.formula(spread.deviation_formula())
    page.formula(rf"2 s \sqrt{{2/{len(runs)}}} = {spread.noticeable:.1f}")
    page.text(
        f"Two settings tried with {len(runs)} seeds each should lie more than "
        f"{spread.noticeable:.1f} points of BLEU-4 apart before one is called better."
    )
