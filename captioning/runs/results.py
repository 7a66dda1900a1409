"""What came of a run: its best captions, and a name under which its model can be published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

from captioning.bundle import Bundle, find_bundles, is_reserved
from captioning.metrics import rouge_l
from captioning.metrics.exact import is_exact
from captioning.runs.curves import Curves
from captioning.runs.record import Run
from captioning.text import tokenize

__all__ = ["WrittenCaption", "best_captions", "free_name", "published_model"]


@dataclass(frozen=True)
class WrittenCaption:
    """What a run's model wrote about a dev photo in its best epoch.

    Attributes:
        photo: its name.
        caption: what the model wrote.
        nearest: the reference that is most like it.
        rouge_l: ROUGE-L against that reference, x100.
        exact: whether it equals a reference word for word.
    """

    photo: str
    caption: str
    nearest: str
    rouge_l: float
    exact: bool


def best_captions(curves: Curves, references: Mapping[str, Sequence[str]]) -> list[WrittenCaption]:
    """Return the captions of the best epoch, those nearest to a reference first.

    Args:
        curves: of the run.
        references: what is true of each photo, by its name; a photo without any is left out.
    """
    best = max(curves.epochs, key=lambda row: row["cider"], default=None)
    said = curves.filmstrip.get(best["epoch"], []) if best else []
    found = [
        _written(photo, caption, references[photo])
        for photo, caption in zip(curves.photos, said, strict=False)
        if references.get(photo)
    ]
    return sorted(found, key=lambda one: (-one.exact, -one.rouge_l))


def published_model(run: Run) -> Bundle | None:
    """Return the model that was published from a run; None if there is none."""
    found = (bundle for bundle in find_bundles() if bundle.published is not None)
    return next((b for b in found if b.published and b.published.run == run.id), None)


def free_name(run: Run) -> str:
    """Return a name for a run's model that no other model has."""
    taken = {bundle.name.casefold() for bundle in find_bundles()}
    numbered = (f"{run.id}-{number}" for number in count(2))
    tried = chain((run.config.name, run.id), numbered)
    return next(n for n in tried if n.casefold() not in taken and not is_reserved(n))


def _written(photo: str, caption: str, references: Sequence[str]) -> WrittenCaption:
    words = tokenize(caption)
    rows = [[tokenize(text)] for text in references]
    scores = rouge_l([words] * len(rows), rows).per_image
    best = int(scores.argmax())
    score = 100 * float(scores[best])
    return WrittenCaption(photo, caption, references[best], score, is_exact(caption, references))
