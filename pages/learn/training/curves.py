"""Loss curves and the spread over seeds in the lesson on training, and its pictures."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from captioning.lessons.training import Curve, Spread, read_curve, spread_of
from pages.learn.figures import figure
from pages.learn.frame import LessonPage
from pages.learn.guessing import Answer
from pages.learn.inspector import END
from pages.learn.training import data
from pages.ui.theme import Look

if TYPE_CHECKING:
    from captioning.lessons.gradient_step import LearnedWord
    from captioning.training.seeds import SeedRun

LAST, EARLIER = "the last epoch", "an earlier one"
FALLS, RISES = "it falls to the end", "it falls, then rises"
_EPOCHS = {8: 60, 40: 40, 160: 12}
_DIFFERS = {"both": "", "first weights alone": "order", "order alone": "weights"}
_SEEDS = 5
_SEED_PHOTOS, _SEED_EPOCHS = 160, 10
_WIDTHS = ((1.0, "under 1"), (5.0, "1 to 5"), (15.0, "5 to 15"), (1e9, "over 15"))


def show_curves(page: LessonPage) -> None:
    """Show the two losses of a real run."""
    curves = data.known_curves()
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
        "During training, numbers are dropped at random (dropout) and the target may be smoothed. "
        "So the training loss is measured under harder conditions than the dev loss and may be "
        "higher: then the gap is below 0."
    )


def _best(curve: Curve) -> Answer:
    best, last = curve.best, curve.last
    because = f"Epoch {best.epoch} had {best.dev:.3f} nats per word, the last one {last.dev:.3f}."
    return Answer((LAST if best == last else EARLIER,), because=because)


def _gap(page: LessonPage, curve: Curve) -> None:
    last = curve.last
    page.formula(
        rf"\mathrm{{gap}} = {last.dev:.3f} - {last.train:.3f} = {last.gap:.3f} \qquad "
        rf"e^{{{last.dev:.3f}}} = {last.perplexity:.2f}"
    )
    page.text(
        "The gap at the end is how much better the model does on photos it learned from"
        + (". " if last.gap > 0 else "; below 0 it does worse there, see below. ")
        + f"e to the power of the loss (perplexity): the model is as unsure as if it chose among "
        f"{last.perplexity:.1f} equally likely words at each place."
    )


def _spoken(curve: Curve) -> str:
    first, last, best = curve.epochs[0], curve.last, curve.best
    return (
        f"Loss over {len(curve.epochs)} epochs: on what it learns from {first.train:.2f} at first "
        f"and {last.train:.2f} at last, on other photos {first.dev:.2f} and {last.dev:.2f}, lowest "
        f"{best.dev:.2f} in epoch {best.epoch}."
    )


def show_overfitting(page: LessonPage) -> None:
    """Train a small decoder on a few photos; the student chooses how many."""
    page.heading("Overfitting on purpose")
    photos = st.segmented_control(
        "Photos to learn from", list(_EPOCHS), default=8, required=True, key="training.photos"
    )
    epochs = _EPOCHS[photos]
    answer = page.guess(
        "overfit",
        f"A small decoder learns {photos} drawn pictures in {epochs} epochs (this takes some "
        "seconds). What happens to its loss on 40 other pictures?",
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
    if curve is None:  # training has already refused a loss that is not a number
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
    page.heading("How much is chance?")
    page.text(
        f"{_SEEDS} runs with equal settings: {_SEED_PHOTOS} drawn pictures, {_SEED_EPOCHS} epochs. "
        "Only the random numbers differ: the first weights and the order of the photos."
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
        "How far apart are the best and the worst of the five, in points of BLEU-4 on 40 other "
        "pictures? The first time, the training takes half a minute or more.",
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
    """Say how long the rest will take at the present speed; nothing at the start.

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
    listed = (f"seed {r.seed} {r.held_out_losses[-1]:.3f} and {r.bleu_4:.1f}" for r in runs)
    page.picture(
        lambda look: draw_runs(runs, spread, look),
        key=("runs", same, tuple(run.held_out_losses[-1] for run in runs)),
        alt=f"Loss on other pictures after the last epoch, and BLEU-4: {', '.join(listed)}.",
        width=820,
    )
    page.table(
        {
            "seed": [str(run.seed) for run in runs],
            "loss, held out": [f"{run.held_out_losses[-1]:.3f}" for run in runs],
            "BLEU-4": [f"{run.bleu_4:.1f}" for run in runs],
            "CIDEr-D": [f"{run.cider:.1f}" for run in runs],
            "caption of the same picture": [run.captions[0] for run in runs],
        }
    )
    page.formula(spread.mean_formula())
    page.formula(spread.variance_formula())
    page.formula(spread.deviation_formula())
    page.formula(rf"2 s \sqrt{{2/{len(runs)}}} = {spread.noticeable:.1f}")
    page.text(
        f"Two settings, each tried with {len(runs)} seeds, should differ by more than "
        f"{spread.noticeable:.1f} points of BLEU-4 before you call one of them better."
    )


_DASHES = ("-", "--", ":", "-.", (0, (1, 1)))


def draw_words(words: "Sequence[LearnedWord]", look: Look) -> Figure:
    """Draw the probability of each word before and after, from 0 to 100%."""
    made = figure(look, 5.4, 0.6 + 0.42 * len(words))
    axes = made.subplots()
    for row, word in enumerate(words):
        axes.plot([100 * word.before, 100 * word.after], [row, row], color=look.border, zorder=1)
    rows = range(len(words))
    before = [100 * word.before for word in words]
    after = [100 * word.after for word in words]
    axes.scatter(before, rows, facecolor=look.ground, edgecolor=look.text, zorder=2, label="before")
    axes.scatter(after, rows, color=look.accent, zorder=3, label="after")
    axes.set_yticks(list(rows), [word.word or END for word in words])
    axes.set_xlim(-3, 103)
    axes.set_xlabel("probability of the word, %")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    made.legend(loc="outside upper right", ncols=2, frameon=False)
    return made


def draw_curve(curve: Curve, names: tuple[str, str], look: Look) -> Figure:
    """Draw both losses over the epochs, and mark where the second one is lowest."""
    made = figure(look, 5.4, 3.4)
    axes = made.subplots()
    epochs = [epoch.epoch for epoch in curve.epochs]
    lines = ([e.train for e in curve.epochs], [e.dev for e in curve.epochs])
    for values, name, color, dash in zip(lines, names, look.series, _DASHES, strict=False):
        axes.plot(epochs, values, color=color, linestyle=dash, label=name, linewidth=2)
    best = curve.best
    axes.scatter([best.epoch], [best.dev], color=look.series[1], zorder=3, s=50)
    axes.annotate(
        f"lowest: epoch {best.epoch}, {best.dev:.2f}",
        (best.epoch, best.dev),
        (0, -18),
        textcoords="offset points",
        ha="right" if best.epoch > epochs[len(epochs) // 2] else "left",
    )
    axes.margins(y=0.18)
    _label(made, axes, "loss, nats per word")
    return made


def draw_runs(runs: "Sequence[SeedRun]", spread: Spread, look: Look) -> Figure:
    """Draw the loss on held-out photos of several runs, and their BLEU-4 with mean and spread."""
    made = figure(look, 5.4, 6.0)
    left, right = made.subplots(2, 1, height_ratios=[3, 2])
    for place, run in enumerate(runs):
        epochs = range(1, len(run.held_out_losses) + 1)
        color = look.series[place % len(look.series)]
        dash = _DASHES[place % len(_DASHES)]
        label = f"seed {run.seed}"
        left.plot(
            epochs, run.held_out_losses, color=color, linestyle=dash, label=label, linewidth=2
        )
        right.scatter([run.seed], [run.bleu_4], color=color, s=60, zorder=3)
    right.axhline(spread.mean, color=look.text, linewidth=1)
    low, high = spread.mean - spread.deviation, spread.mean + spread.deviation
    right.axhspan(low, high, color=look.text, alpha=0.1)
    right.set_xlabel("seed")
    right.set_ylabel("BLEU-4, mean and deviation")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label(made, left, "loss on other pictures")
    return made


def _label(made: Figure, axes, title: str) -> None:  # type: ignore[no-untyped-def]
    axes.set_xlabel("epoch")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    made.legend(loc="outside upper left", ncols=3, frameon=False)
