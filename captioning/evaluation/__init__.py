"""Scoring a model on a split, and how far to trust the score.

`evaluate` captions and scores.  There are also scores per photo with bootstrap intervals, a paired
test of two models, baselines, altered photos, and common mistakes in scoring, which change the
figures although no caption changes.
"""

from captioning.evaluation.baselines import (
    BASELINES,
    Baseline,
    blind_caption,
    commonest_caption,
    human_scores,
    make_baselines,
    nearest_captions,
    shuffled_captions,
)
from captioning.evaluation.protocols import MISTAKES, MistakenScore, score_wrongly
from captioning.evaluation.report import captions_csv, evaluation_report
from captioning.evaluation.resampling import Comparison, Interval, compare, intervals
from captioning.evaluation.robustness import ALTERATIONS, Altered, alter_and_caption, sample_photos
from captioning.evaluation.scoring import (
    Evaluation,
    PhotoScores,
    Variety,
    caption_photos,
    caption_variety,
    evaluate,
    score_photos,
    score_written,
    training_texts,
)

__all__ = [
    "ALTERATIONS",
    "BASELINES",
    "MISTAKES",
    "Altered",
    "Baseline",
    "Comparison",
    "Evaluation",
    "Interval",
    "MistakenScore",
    "PhotoScores",
    "Variety",
    "alter_and_caption",
    "blind_caption",
    "caption_photos",
    "caption_variety",
    "captions_csv",
    "commonest_caption",
    "compare",
    "evaluate",
    "evaluation_report",
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
