"""What a round shows at its end: a table of all captions, and how well machines passed."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from captioning.metrics import CiderD, DocumentFrequencies, bleu_from_statistics, bleu_statistics
from captioning.play.ratings import Rating, rate
from captioning.play.rounds import Entry, State
from captioning.text import tokenize

__all__ = ["Standing", "results_csv", "standings", "turing_rate"]


@dataclass(frozen=True)
class Standing:
    """A caption with all that is known about it.

    Attributes:
        entry: the caption.
        rating: by the votes.
        bleu_4: against what the class wrote, its own caption left out, x100; None without any.
        cider: CIDEr-D against the same, x100; None without any, or without frequencies.
        taken_for_machine: the share of guesses that took it for a machine's; None without any.
    """

    entry: Entry
    rating: Rating
    bleu_4: float | None
    cider: float | None
    taken_for_machine: float | None


def standings(
    state: State,
    *,
    references: Sequence[str] = (),
    frequencies: DocumentFrequencies | None = None,
) -> list[Standing]:
    """Return all captions of a round, the best rated first.

    Every caption is scored against what the others wrote: the class is the references.

    Args:
        state: of the round.
        references: what people wrote about the photo elsewhere; they count as references too.
        frequencies: how common n-grams are in other captions; without them CIDEr is left out.
    """
    entries = list(state.entries.values())
    ratings = rate([entry.id for entry in entries], state.votes)
    found = [
        Standing(
            entry,
            ratings[entry.id],
            *_scores(entry, entries, references, frequencies),
            _share([said for (_, name), said in state.guesses.items() if name == entry.id]),
        )
        for entry in entries
    ]
    return sorted(found, key=lambda one: -one.rating.elo)


def turing_rate(state: State) -> float | None:
    """Return how often a machine's caption was taken for a person's, 0 to 1; None if never asked.

    At one half nobody can tell them apart.
    """
    models = {name for name, entry in state.entries.items() if entry.kind == "model"}
    share = _share([said for (_, name), said in state.guesses.items() if name in models])
    return None if share is None else 1.0 - share


def results_csv(found: Sequence[Standing]) -> str:
    """Write the table of a round as CSV, with names instead of tokens."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(
        "rank author kind caption elo elo_low elo_high votes bleu_4 cider taken_for_machine".split()
    )
    for rank, one in enumerate(found, start=1):
        rating = (one.rating.elo, one.rating.low, one.rating.high)
        scores = (one.bleu_4, one.cider)
        table.writerow(
            [
                rank,
                _harmless(one.entry.author),
                one.entry.kind,
                _harmless(one.entry.text),
                *(f"{value:.0f}" for value in rating),
                one.rating.votes,
                *("" if value is None else f"{value:.1f}" for value in scores),
                "" if one.taken_for_machine is None else f"{one.taken_for_machine:.2f}",
            ]
        )
    return file.getvalue()


def _scores(
    entry: Entry,
    entries: Sequence[Entry],
    references: Sequence[str],
    frequencies: DocumentFrequencies | None,
) -> tuple[float | None, float | None]:
    said = [e.text for e in entries if e.kind == "player" and e is not entry]
    known = [words for words in map(tokenize, (*said, *references)) if words]
    words = tokenize(entry.text)
    if not known:
        return None, None
    bleu = 100 * bleu_from_statistics(bleu_statistics(words, known)).bleu[3]
    if frequencies is None:
        return bleu, None
    cider = CiderD([known], document_frequencies=frequencies).score(words, 0)
    return bleu, 100 * cider


def _share(said: Sequence[bool]) -> float | None:
    return sum(said) / len(said) if said else None


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking what a player wrote for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
