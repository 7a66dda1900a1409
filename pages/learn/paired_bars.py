"""Two probabilities of each word, one bar below the other."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

__all__ = ["paired_bars"]


def paired_bars(
    table: pd.DataFrame, who: str, colours: dict[str, str], words: Sequence[str], step: int
) -> alt.Chart:
    """Draw the shares of `table` as pairs of bars.

    Args:
        table: columns `word`, `share` from 0 to 1, and `who`, whose share it is.
        who: the name of that last column, which the tooltip shows.
        colours: of each of them, in the order from above.
        words: in the order from above.
        step: height of a bar, in pixels.
    """
    kinds = list(colours)
    return (
        alt.Chart(table)
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X("share:Q", title="probability", axis=alt.Axis(format="%")),
            y=alt.Y("word:N", sort=list(words), title=None),
            yOffset=alt.YOffset(f"{who}:N", sort=kinds),
            color=alt.Color(
                f"{who}:N",
                scale=alt.Scale(domain=kinds, range=list(colours.values())),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=["word:N", f"{who}:N", alt.Tooltip("share:Q", format=".2%")],
        )
        .properties(height=alt.Step(step))
    )
