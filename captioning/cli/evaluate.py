"""`evaluate --model NAME --data DIR`: score a model on a split, with intervals and baselines."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.cli.terminal import (
    add_allow_missing,
    add_encoding,
    print_json,
    progress_line,
    quietly,
)
from captioning.config import DecodingConfig
from captioning.errors import CaptioningError, ConfigError, FeaturesError, ImageError
from captioning.metrics import format_headline

if TYPE_CHECKING:
    from captioning.captioner import Captioner
    from captioning.datasets import CaptionDataset
    from captioning.evaluation import Evaluation, PhotoScores


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("evaluate", help="score a model on a split")
    parser.add_argument("--model", required=True, help="name or folder of a model")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the data set")
    add_encoding(parser)
    add_allow_missing(parser)
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--beam-width", type=int, metavar="K", help="1 means greedy search")
    parser.add_argument("--length-penalty", type=float, metavar="A", help="0 to 2")
    parser.add_argument(
        "--neutral-words",
        action="store_true",
        help="score captions with person, people or child where a gender is not certain",
    )
    parser.add_argument(
        "--against", metavar="MODEL", help="compare with another model by a significance test"
    )
    parser.add_argument(
        "--baselines", action="store_true", help="also score baselines that need no model"
    )
    parser.add_argument(
        "--mistakes", action="store_true", help="also show scores from common scoring mistakes"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="write report.json and captions.csv to this folder"
    )
    parser.add_argument("--save", action="store_true", help="save the scores in the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the model and print its scores, multiplied by 100."""
    from captioning.bundle import add_scores, read_bundle
    from captioning.datasets import load

    read_bundle(arguments.model)  # report errors before importing Keras
    dataset = load(arguments.data, arguments.encoding)
    if not arguments.allow_missing:
        dataset.check_complete(arguments.split)
    print(dataset.summary(), file=sys.stderr)
    with quietly():
        from captioning.captioner import Captioner
        from captioning.evaluation.scoring import ONE_PHOTO
    captioner = Captioner.load(arguments.model, with_encoder=False)
    summary = dataset.summary()
    try:
        evaluation = _evaluate(captioner, dataset, arguments)
    except (ImageError, FeaturesError) as error:
        dataset, reasons = _readable(dataset, arguments.split, error)
        summary = f"{summary} {reasons}"
        evaluation = _evaluate(captioner, dataset, arguments)
    report = _report(captioner, dataset, evaluation, arguments)
    report["data_summary"] = summary
    if len(evaluation.captions) == 1:
        print(ONE_PHOTO, file=sys.stderr)
    if arguments.out:
        _write(Path(arguments.out), dataset, evaluation, report)
    if arguments.save:
        kept = ("intervals", "intervals_protocol")
        add_scores(
            captioner.bundle,
            {**evaluation.to_dict(), **{name: report[name] for name in kept}},
            neutral_words=arguments.neutral_words,
        )
    if arguments.json:
        print_json(report)
    else:
        _print(report)
    return 0


def _evaluate(
    captioner: "Captioner", dataset: "CaptionDataset", arguments: argparse.Namespace
) -> "Evaluation":
    from captioning.evaluation import evaluate

    def show(done: int, total: int) -> None:
        progress_line(f"{captioner.name}: {done:,} of {total:,} photos", done=done == total)

    decoding = _decoding(captioner, arguments)
    return evaluate(
        captioner,
        dataset,
        split=arguments.split,
        decoding=decoding,
        neutral_words=arguments.neutral_words,
        on_progress=show,
    )


def _readable(
    dataset: "CaptionDataset", split: str, error: CaptioningError
) -> tuple["CaptionDataset", str]:
    """Leave out the photos of a split that cannot be read; say which and why.

    Raises:
        CaptioningError: `error`, if all photos can be read or none.
    """
    from captioning.datasets.dataset import without_unreadable
    from captioning.training.report import unreadable_photos

    readable, unreadable = without_unreadable(dataset, split)
    if not unreadable or not readable.split(split):
        raise error
    reasons = unreadable_photos(unreadable)
    print(reasons, file=sys.stderr)
    return readable, reasons


def _decoding(captioner: "Captioner", arguments: argparse.Namespace) -> DecodingConfig:
    decoding = captioner.bundle.decoding
    if arguments.beam_width is not None:
        decoding = decoding.replace(strategy="beam", beam_width=arguments.beam_width)
    if arguments.length_penalty is not None:
        decoding = decoding.replace(length_penalty=arguments.length_penalty)
    return decoding


def _report(
    captioner: "Captioner",
    dataset: "CaptionDataset",
    evaluation: "Evaluation",
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Return the scores and the additional results that the options ask for."""
    from captioning import evaluation as judging

    split, captions = arguments.split, list(evaluation.captions.values())
    baselines: Sequence[judging.Baseline] = ()
    if arguments.baselines:
        baselines = list(
            judging.make_baselines(
                captioner, dataset, split, captions, decoding=evaluation.decoding
            )
        )
    scores = _scores(dataset, evaluation)
    report = judging.evaluation_report(
        evaluation.to_dict(),
        scores,
        judging.caption_variety(captions, judging.training_texts(dataset)),
        baselines=baselines,
        mistakes=list(judging.score_wrongly(captions, dataset.references(split)))
        if arguments.mistakes
        else (),
    )
    if arguments.against:
        other = type(captioner).load(arguments.against, with_encoder=False)
        comparison = judging.compare(scores, _scores(dataset, _evaluate(other, dataset, arguments)))
        verdict = comparison.verdict(captioner.name, other.name)
        report["compared_with"] = {other.name: {"verdict": verdict, **comparison.to_dict()}}
    return report


def _scores(dataset: "CaptionDataset", evaluation: "Evaluation") -> "PhotoScores":
    from captioning.evaluation import score_photos

    captions = evaluation.captions
    return score_photos(
        list(captions), list(captions.values()), dataset.references(evaluation.split)
    )


def _write(
    folder: Path, dataset: "CaptionDataset", evaluation: "Evaluation", report: dict[str, Any]
) -> None:
    from captioning.evaluation import captions_csv, training_texts

    captions = list(evaluation.captions.values())
    table = captions_csv(captions, _scores(dataset, evaluation), training_texts(dataset))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (folder / "captions.csv").write_bytes(table)
    except OSError as error:
        raise ConfigError(
            f"The report cannot be written to '{folder}' ({error.strerror}). Name another folder."
        ) from error


def _print(report: dict[str, Any]) -> None:
    """Print one line per score, with its interval if there is one."""
    edges = report["intervals"]
    nested = (
        "intervals",
        "captions",
        "data_summary",
        "baselines",
        "other_ways_of_scoring",
        "compared_with",
    )
    for name, value in report.items():
        if name not in nested:
            low_high = "  ({:.2f} to {:.2f})".format(*edges[name]) if name in edges else ""
            print(f"{name:>18}  {value}{low_high}")
    for name, value in report["captions"].items():
        print(f"{name:>18}  {value}")
    for name, figures in report.get("baselines", {}).items():
        print(f"{name:>36}  {format_headline(figures)}")
    for name, bleu in report.get("other_ways_of_scoring", {}).items():
        print(f"{name:>36}  BLEU-4 {bleu[3]:5.1f}")
    for comparison in report.get("compared_with", {}).values():
        print(comparison["verdict"])
        for name, row in comparison.items():
            if isinstance(row, dict):
                p_value = f"p {row['p_value']:.3f}, corrected {row['corrected']:.3f}"
                print(f"{name:>18}  {row['gain']:+.2f}  {p_value}")
