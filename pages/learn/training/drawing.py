"""Pictures of the lesson on training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from captioning.lessons.training import Curve, Spread
from pages.learn.figures import figure
from pages.ui.theme import Look

if TYPE_CHECKING:
    from captioning.lessons.gradient_step import LearnedWord
    from captioning.training.seeds import SeedRun

__all__ = ["draw_curve", "draw_runs", "draw_words"]

END = "(end)"
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
    _label(made, axes, "loss, nats a word")
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
