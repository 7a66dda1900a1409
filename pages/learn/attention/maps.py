"""Attention maps over the photo: all words in a strip, the heads of one word, and the formula."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from captioning.lessons.attention import look_formulas
from captioning.lessons.worksheet import Picture as PaperPicture
from pages.learn import inspector
from pages.learn.frame import LessonPage
from pages.learn.subject import Subject
from pages.ui.wording import plain

_STRIP, _ON_PAPER = 220, 480


@dataclass(frozen=True)
class Looks:
    """The attention maps of one sentence.

    Attributes:
        heads: weights of each head, float64 `(T, H, rows, columns)`; each map sums to 1.  One for
            each word and one for the end.
    """

    heads: np.ndarray

    @property
    def maps(self) -> np.ndarray:
        """The mean over the heads, `(T, rows, columns)`."""
        mean: np.ndarray = self.heads.mean(axis=1)
        return mean

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of regions."""
        return self.heads.shape[2], self.heads.shape[3]

    @property
    def regions(self) -> int:
        """How many regions there are."""
        return self.grid[0] * self.grid[1]

    @property
    def spread(self) -> np.ndarray:
        """Over how many regions each map is spread, `(T,)`: e to the power of its entropy."""
        flat = self.maps.reshape(len(self.heads), -1)
        spread: np.ndarray = np.exp(-(flat * np.log(np.maximum(flat, 1e-30))).sum(axis=1))
        return spread

    def narrowest_word(self) -> int:
        """Return the place of the word whose map is the narrowest; the end does not count."""
        return int(self.spread[:-1].argmin())

    def widest_word(self) -> int:
        """Return the place of the word whose map is the widest; the end does not count."""
        return int(self.spread[:-1].argmax())

    def regions_for_half(self, place: int) -> tuple[int, float]:
        """Return how many of the strongest regions hold half of a map, and what they hold."""
        sums = np.cumsum(np.sort(self.maps[place].ravel())[::-1])
        needed = min(int(np.searchsorted(sums, 0.5)), len(sums) - 1)
        return needed + 1, float(sums[needed])

    def in_quarter(self, place: int, name: str) -> float:
        """Return the share of a map that falls into a quarter of the photo."""
        rows, columns = self.grid
        names = np.array([[quarter(self.grid, r, c) for c in range(columns)] for r in range(rows)])
        return float(self.maps[place][names == name].sum())


def looks_at(subject: Subject) -> Looks:
    """Return the attention maps of the caption, from a model with attention."""
    rows, columns = grid_of(subject)
    steps = inspector.reading(subject).steps
    found = [step.look.weights[0].reshape(-1, rows, columns) for step in steps if step.look]
    return Looks(np.stack(found))


def grid_of(subject: Subject) -> tuple[int, int]:
    """Return rows and columns of the encoder's regions; a single row where it has no grid."""
    regions = subject.bundle.feature_shape[0]
    return subject.captioner.encoder.grid or (1, regions)


def quarter(grid: tuple[int, int], row: int, column: int) -> str:
    """Name the quarter of the photo that a region lies in; the middle belongs to the far side.

    >>> quarter((8, 8), 3, 4)
    'top right'
    """
    rows, columns = grid
    return f"{'top' if row < rows / 2 else 'bottom'} {'left' if column < columns / 2 else 'right'}"


def show_maps(page: LessonPage, subject: Subject, looks: Looks, place: int) -> None:
    """Show where the model looked for each word, and how one head weighs one region."""
    page.heading("Where it looked for each word")
    with st.grid(6, min_column_width=130):
        for number, word in enumerate(subject.words):
            picture = inspector.lit(subject, looks.maps[number], _STRIP)
            with st.container(gap="xsmall"):
                st.image(picture, width="stretch", alt=_spoken(looks.maps[number], word))
                here = f":primary-background[**{plain(word)}**]"
                st.markdown(here if number == place else plain(word))
    word = subject.words[place]
    large = inspector.lit(subject, looks.maps[place], _ON_PAPER)
    spoken = _spoken(looks.maps[place], word)
    page.keep(PaperPicture(large, spoken, f"Where it looked for “{word}”"))
    page.aside(
        "Bright regions counted most when the word was chosen: the mean over the attention heads. "
        "A map shows what was read, not why a word was chosen. And each region has seen more of "
        "the photo than its own square (lesson 2)."
    )
    _show_heads(page, subject, looks, place)
    page.code("captioning.lessons.numpy_decoder", "PlainDecoder.look")


def _show_heads(page: LessonPage, subject: Subject, looks: Looks, place: int) -> None:
    word, heads = subject.words[place], looks.heads[place]
    page.heading(f"How it weighs the regions at “{word}”")
    page.text(
        "The LSTM's state gives a query q, and every region r has a key k. The better they match, "
        f"the more the region counts. {len(heads)} heads do this at once, each with its own q and "
        "k."
    )
    with st.grid(len(heads) if len(heads) <= 4 else 4, min_column_width=130):
        for number, weights in enumerate(heads):
            with st.container(gap="xsmall"):
                st.image(
                    inspector.lit(subject, weights, _STRIP),
                    width="stretch",
                    alt=f"Head {number + 1}: {_spoken(weights, word)}",
                )
                st.caption(f"Head {number + 1}: most at {weights.max():.0%}")
    head, region = _choose(heads, looks)
    step = inspector.reading(subject).steps[place]
    formulas = look_formulas(step, inspector.memory(subject), head, region)
    row, column = divmod(region, looks.grid[1])
    page.text(
        f"Head {head + 1} and region {region + 1} (row {row + 1}, column {column + 1}), with the "
        f"first three numbers of q and k:"
    )
    page.formula(formulas.product)
    page.formula(formulas.score)
    page.formula(formulas.weight)
    page.aside(
        "The largest score is subtracted before the exponential; this keeps the numbers small and "
        "does not change the shares. The result is the sum of the regions' values, each times its "
        "weight."
    )


def _choose(heads: np.ndarray, looks: Looks) -> tuple[int, int]:
    """Ask for a head; the region is the one it looks at most, unless another is asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        head = st.segmented_control(
            "Head",
            range(len(heads)),
            default=0,
            required=True,
            format_func=lambda number: str(number + 1),
            key=f"attention.head.{len(heads)}",
        )
        strongest = st.checkbox(
            "The region it looks at most", value=True, key="attention.strongest"
        )
        if strongest:
            return head, int(heads[head].argmax())
        region = st.number_input(
            f"Region, 1 to {looks.regions}",
            min_value=1,
            max_value=looks.regions,
            key=f"attention.region.{looks.regions}",
            width=180,
        )
    return head, int(region) - 1


def _spoken(weights: np.ndarray, word: str) -> str:
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    return (
        f"The photo at the word {word}: brightest in row {row + 1} of {weights.shape[0]}, column "
        f"{column + 1} of {weights.shape[1]}, with {weights.max():.0%} of the attention"
    )
