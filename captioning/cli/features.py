"""`features --encoder NAME --data DIR`: encode the photos of a data set and store the features."""

import argparse
import sys
from typing import Any

from captioning.cli import cluster
from captioning.cli.terminal import add_encoding, clock, progress_line, quietly
from captioning.config import EncoderConfig
from captioning.datasets import load


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "features", help="encode the photos of a data set and store the features"
    )
    parser.add_argument(
        "source", nargs="?", metavar="SOURCE", help="a folder or address; only with --engine ray"
    )
    parser.add_argument("--encoder", help="xception, vgg16, ...")
    parser.add_argument("--layer", help="layer of the encoder; by default its usual one")
    parser.add_argument("--data", metavar="DIR", help="folder of the data set")
    add_encoding(parser)
    cluster.add_options(parser)
    parser.add_argument("--model", help="with --engine ray: the encoder of this model")
    parser.add_argument("--out", metavar="DIR", help="with --engine ray: for the results")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Encode the photos that have no features yet, and list those that cannot be read."""
    _check_options(arguments)
    if arguments.engine == "ray":
        return cluster.encode(arguments)
    dataset = load(arguments.data, arguments.encoding)
    print(dataset.summary(), file=sys.stderr)
    config = EncoderConfig(name=arguments.encoder, layer=arguments.layer)
    with quietly():
        from captioning.features import (
            FeatureStore,
            Progress,
            extract_features,
            fitted,
            store_folder,
        )
        from captioning.inference.loading import open_encoder

    def show(progress: Progress) -> None:
        left = clock(progress.seconds_left)
        text = f"{progress.done:,} of {progress.total:,} photos, {progress.rate:.1f}/s, {left} left"
        progress_line(text, done=progress.done == progress.total)

    config = fitted(config, dataset)
    folder = store_folder(config, dataset)
    encoder = open_encoder(config, use_gpu=True)
    store: FeatureStore = extract_features(encoder, dataset, folder, on_progress=show)
    print(f"{folder}: {len(store.names) - len(store.skipped):,} photos, {store.shape}")
    for reason in store.skipped.values():
        print(f"Skipped: {reason}")
    return 0


def _check_options(arguments: argparse.Namespace) -> None:
    cluster.check_options(arguments, [arguments.source] if arguments.source else [])
    error = arguments.parser.error
    if arguments.engine == "ray":
        if bool(arguments.encoder) == bool(arguments.model) or arguments.data:
            error("--engine ray takes --encoder or --model, and no --data")
        return
    missing = [f"--{name}" for name in ("encoder", "data") if not getattr(arguments, name)]
    if missing:
        error(f"the following arguments are required: {', '.join(missing)}")
    if arguments.source or arguments.model or arguments.out:
        error("SOURCE, --model and --out need --engine ray")
