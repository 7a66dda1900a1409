"""`evaluate --model NAME --data DIR`: score a model over a split."""

import argparse
from typing import Any

from captioning.commands.terminal import print_json, progress_line, quietly

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("evaluate", help="score a model over a split")
    parser.add_argument("--model", required=True, help="a bundle's name or folder")
    parser.add_argument("--data", required=True, metavar="DIR", help="the data set's folder")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--beam-width", type=int, metavar="K", help="1 is greedy search")
    parser.add_argument("--length-penalty", type=float, metavar="A", help="0 to 2")
    parser.add_argument("--save", action="store_true", help="keep the scores in the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Score the model and print its scores, x100."""
    from captioning.bundles import add_scores
    from captioning.datasets import load

    with quietly():
        from captioning.captioner import Captioner
        from captioning.evaluation import evaluate
    dataset = load(arguments.data)
    captioner = Captioner.load(arguments.model, with_encoder=False)
    decoding = captioner.bundle.decoding
    if arguments.beam_width is not None:
        decoding = decoding.replace(strategy="beam", beam_width=arguments.beam_width)
    if arguments.length_penalty is not None:
        decoding = decoding.replace(length_penalty=arguments.length_penalty)
    evaluation = evaluate(
        captioner,
        dataset,
        split=arguments.split,
        decoding=decoding,
        on_progress=lambda done, total: progress_line(
            f"{done:,} of {total:,} photos", done=done == total
        ),
    )
    result = evaluation.to_dict()
    if arguments.save:
        add_scores(captioner.bundle, result)
    if arguments.json:
        print_json(result)
    else:
        for name, value in result.items():
            print(f"{name:>15}  {value}")
    return 0
