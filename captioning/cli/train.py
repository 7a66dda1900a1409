"""`train --config FILE`: train a model and leave it as a bundle."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from captioning.bundle import check_bundle_folder
from captioning.cli.terminal import add_encoding, clock, print_json, progress_line, quietly
from captioning.config import TrainingConfig, read_training_config
from captioning.datasets import (
    CaptionDataset,
    available_datasets,
    generate_shapes,
    load,
    load_named,
)
from captioning.errors import ConfigError, DatasetError
from captioning.paths import data_folder
from captioning.runs import Execution, Run, execute
from captioning.training.distillation.settings import DistillationConfig
from captioning.tuning import go_on, reason_to_give_up

__all__ = ["add_to", "dataset_for"]


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("train", help="train a model")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", metavar="FILE", help="one of configs/*.json")
    source.add_argument(
        "--run", dest="run_folder", metavar="DIR", help="be the process of a run the app made"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="the data set's folder; further ones when given again",
    )
    add_encoding(parser)
    parser.add_argument(
        "--allow-missing",
        action="append_const",
        dest="set",
        const="allow_missing=true",
        help="train although many photos are missing",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting"
    )
    parser.add_argument("--out", metavar="DIR", help="the bundle's folder")
    parser.add_argument(
        "--checkpoints", metavar="DIR", help="keep checkpoints here; a run found here goes on"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train and report the dev scores of the epoch that was kept."""
    if arguments.run_folder:
        status = execute(Path(arguments.run_folder), _train_run)
        go_on(Path(arguments.run_folder))
        # The next run may have begun: leave at once instead of taking TensorFlow apart.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    config = read_training_config(arguments.config).with_settings(arguments.set)
    folder = Path(arguments.out) if arguments.out else data_folder() / "models" / config.name
    check_bundle_folder(folder)  # before hours of training, not after
    dataset = dataset_for(config, arguments.data[0] if arguments.data else None, arguments.encoding)
    extra = [load(folder, arguments.encoding) for folder in arguments.data[1:]]
    extra = extra or further_datasets(config)
    with quietly():
        from captioning.training import train
    bundle = train(
        config,
        dataset,
        extra=extra,
        bundle_folder=folder,
        checkpoint_folder=Path(arguments.checkpoints) if arguments.checkpoints else None,
        command=_command(arguments),
        on_event=_show,
    )
    if bundle is None:  # only a caller that can stop a run sees this
        return 1
    facts = (bundle.metrics or {})["training"]
    best = bundle.history()[facts["best_epoch"] - 1]
    result = {
        "bundle": str(folder),
        "split": "dev",
        "bleu_4": round(best["bleu_4"], 2),
        "cider": round(best["cider"], 2),
        "seconds": facts["seconds"],
    }
    if arguments.json:
        print_json(result)
    else:
        print(
            f"{folder}: dev BLEU-4 {result['bleu_4']}, CIDEr {result['cider']}, "
            f"{clock(facts['seconds'])}"
        )
    return 0


def _train_run(run: Run, execution: Execution) -> bool:
    """Train what a run's folder says; returns whether it came to its end."""
    execution.doing("reading the data set")
    dataset = dataset_for(run.config, None)
    execution.doing("starting TensorFlow")
    with quietly():
        from captioning.training import train

    def tell(event: dict[str, Any]) -> None:
        _show(event)
        execution.tell(event)
        if event["event"] == "epoch" and (reason := reason_to_give_up(run)):
            execution.give_up(reason)

    execution.doing("reading photos")
    bundle = train(
        run.config,
        dataset,
        extra=further_datasets(run.config),
        bundle_folder=run.bundle_folder,
        checkpoint_folder=run.folder / "checkpoints",
        command=f"python -m captioning train --run {run.id}",
        keep_best=True,
        on_event=tell,
        should_stop=execution.should_stop,
    )
    return bundle is not None


def dataset_for(
    config: TrainingConfig | DistillationConfig, folder: str | None, encoding: str | None = None
) -> CaptionDataset:
    """Load the data set a run is for; `shapes` is drawn when it is not there yet.

    Args:
        config: its settings.
        folder: the data set's folder; None to find it by `config.data`.
        encoding: that of the caption files in `folder`; None to find it out.

    Raises:
        ConfigError: the configuration needs a data set and no folder was named.
        DatasetError: the folder is not a data set.
    """
    if folder:
        return load(folder, encoding)
    if config.data == "shapes":
        place = data_folder() / f"shapes-{config.shapes_count}-{config.seed}"
        try:
            return load(place)
        except DatasetError:  # not there, or left half drawn
            return generate_shapes(place, count=config.shapes_count, seed=config.seed)
    named = any(dataset.name == config.data for dataset in available_datasets())
    if named or (data_folder() / config.data).is_dir():
        return load_named(config.data)
    raise ConfigError(f"This configuration is for {config.data}: name its folder with --data.")


def further_datasets(config: TrainingConfig) -> list[CaptionDataset]:
    """Load the data sets that `config.extra_data` names: folders, or names below the data folder.

    Raises:
        DatasetError: one is not a data set.
    """
    return [load(name) if Path(name).is_dir() else load_named(name) for name in config.extra_data]


def _command(arguments: argparse.Namespace) -> str:
    words = ["python", "-m", "captioning", "train", "--config", arguments.config]
    for folder in arguments.data:
        words += ["--data", Path(folder).name]
    for setting in arguments.set:
        words += ["--set", setting]
    return shlex.join(words)


def _show(event: dict[str, Any]) -> None:
    where = f"epoch {event.get('epoch')} of {event.get('epochs')}"
    match event["event"]:
        case "data":
            for sentence in event["sentences"]:
                progress_line(sentence, done=True)
        case "features":
            done = event["done"] == event["total"]
            left = clock(event["seconds_left"])
            text = f"{event['done']:,} of {event['total']:,} photos encoded"
            progress_line(f"{text}, {event['rate']:.1f}/s, {left} left", done=done)
        case "step":
            progress_line(f"{where}, step {event['step']}, loss {event['loss']:.3f}")
        case "epoch":
            figures = f"loss {event['loss']:.3f}, dev {event['dev_loss']:.3f}"
            scores = f"BLEU-4 {event['bleu_4']:.1f}, CIDEr {event['cider']:.1f}"
            where = f"epoch {event['epoch']} of {event['epochs']}"
            progress_line(f"{where}: {figures}, {scores}", done=True)
        case "resume":
            progress_line(f"going on at {where}, step {event['step']}", done=True)
        case "damaged":
            progress_line(f"{event['checkpoint']} is damaged and was passed over", done=True)
