"""Scoring a model over a split, and asking how far to trust the score.

`evaluate` captions and scores.  Around it: per-photo scores with bootstrap intervals, a paired
test of two models, baselines that no model should lose to, photos made harder, and the scoring
mistakes that move the figures without any caption changing.
"""

from captioning.evaluation.baselines import (
    BASELINES,
    Baseline,
    against_the_others,
    blind_caption,
    commonest_caption,
    human_scores,
    make_baselines,
    nearest_captions,
    shuffled_captions,
)
from captioning.evaluation.protocols import MISTAKES, Mistake, MistakenScore, score_wrongly
from captioning.evaluation.report import captions_csv, evaluation_report
from captioning.evaluation.resampling import Comparison, Difference, Interval, compare, intervals
from captioning.evaluation.robustness import ALTERATIONS, Altered, alter_and_caption, sample_photos
from captioning.evaluation.scoring import (
    PROTOCOL,
    Evaluation,
    PhotoScores,
    Variety,
    caption_photos,
    caption_variety,
    evaluate,
    features_in_batches,
    score_photos,
    score_written,
    training_texts,
)

__all__ = [
    "ALTERATIONS",
    "BASELINES",
    "MISTAKES",
    "PROTOCOL",
    "Altered",
    "Baseline",
    "Comparison",
    "Difference",
    "Evaluation",
    "Interval",
    "Mistake",
    "MistakenScore",
    "PhotoScores",
    "Variety",
    "against_the_others",
    "alter_and_caption",
    "blind_caption",
    "caption_photos",
    "caption_variety",
    "captions_csv",
    "commonest_caption",
    "compare",
    "evaluate",
    "evaluation_report",
    "features_in_batches",
    "human_scores",
    "intervals",
    "make_baselines",
    "nearest_captions",
    "sample_photos",
    "score_photos",
    "score_written",
    "score_wrongly",
    "shuffled_captions",
    "training_texts",
]
