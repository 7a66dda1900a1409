"""`train --data DIR [--config FILE]`: train a model and write it as a bundle."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from captioning.bundle import check_bundle_folder, default_model, read_bundle
from captioning.cli.reproduce import missing_models
from captioning.cli.run_process import run_as_process
from captioning.cli.terminal import add_encoding, clock, print_json, progress_line, quietly
from captioning.cli.training_data import dataset_for, further_datasets, open_dataset
from captioning.config import TrainingConfig, read_training_config
from captioning.datasets import CaptionDataset
from captioning.datasets.catalog import safe_name
from captioning.errors import BundleError, ConfigError
from captioning.metrics import format_headline, headline_metrics
from captioning.runs import preset_for
from captioning.storage import data_folder


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("train", help="train a model")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--config",
        metavar="FILE",
        help="one of configs/*.json; without it, settings that suit the data set",
    )
    source.add_argument(
        "--run",
        dest="run_folder",
        metavar="DIR",
        help="run the training that the app prepared in this folder",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="folder or name of the data set; may be repeated to add more",
    )
    add_encoding(parser)
    parser.add_argument(
        "--allow-missing",
        action="append_const",
        dest="set",
        default=[],
        const="allow_missing=true",
        help="train even if many photos are missing",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting"
    )
    parser.add_argument("--out", metavar="DIR", help="folder of the bundle")
    parser.add_argument(
        "--checkpoints",
        metavar="DIR",
        help="folder for checkpoints; an unfinished run there is resumed",
    )
    parser.add_argument(
        "--devices",
        metavar="N",
        help="spread each step over N devices, or over all; needs KERAS_BACKEND=jax",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train a model and report the dev scores of its best epoch."""
    if arguments.run_folder:
        run_as_process(Path(arguments.run_folder), show_event)
    config, dataset = _settings_and_data(arguments)
    folder = Path(arguments.out) if arguments.out else data_folder() / "models" / config.name
    check_bundle_folder(folder)  # fail before hours of training, not after
    extra = [open_dataset(name, arguments.encoding) for name in arguments.data[1:]]
    extra = extra or further_datasets(config)
    with quietly():
        from captioning.training import train
    if arguments.devices:
        _use_devices(arguments.devices, config)
    bundle = train(
        config,
        dataset,
        extra=extra,
        bundle_folder=folder,
        checkpoint_folder=Path(arguments.checkpoints) if arguments.checkpoints else None,
        command=_command(arguments),
        on_event=show_event,
    )
    if bundle is None:  # happens only when a caller stops the run
        return 1
    facts = (bundle.metrics or {})["training"]
    dev = facts["dev"]
    result = {
        "bundle": str(folder),
        "split": "dev",
        **{metric.name: round(dev[metric.name], 2) for metric in headline_metrics()},
        "seconds": facts["seconds"],
        "baselines": facts["baselines"],
        "start_share": facts.get("start_share", 0.0),
        "verdict": facts["verdict"],
    }
    if arguments.json:
        print_json(result)
    else:
        print(f"{folder}: dev {format_headline(dev)}, {clock(facts['seconds'])}")
        print(facts["verdict"])
    return 0


def _settings_and_data(arguments: argparse.Namespace) -> tuple[TrainingConfig, CaptionDataset]:
    """Read the configuration and its data set, or choose a configuration by the data set."""
    if arguments.config:
        config = read_training_config(arguments.config).with_settings(arguments.set)
        named = arguments.data[0] if arguments.data else None
        if missing := missing_models(config):
            raise ConfigError(
                f"{config.name} needs {' and '.join(missing)}, which is not there. To train every "
                f"stage: python -m captioning reproduce {shlex.quote(Path(arguments.config).stem)}"
            )
        return config, dataset_for(config, named, arguments.encoding)
    if len(arguments.data) != 1:
        raise ConfigError("Name a data set with --data, or a configuration with --config, or both.")
    dataset = open_dataset(arguments.data[0], arguments.encoding)
    try:
        bundle = read_bundle(default_model())
    except BundleError:
        bundle = None
    if bundle is not None and not bundle.has_weights:
        bundle = None
    preset = preset_for(dataset, safe_name(Path(arguments.data[0]).resolve().name), bundle)
    progress_line(preset.about, done=True)
    return preset.config.with_settings(arguments.set), dataset


def _use_devices(asked: str, config: TrainingConfig) -> None:
    if asked != "all" and not (asked.isdecimal() and int(asked)):
        raise ConfigError(f"--devices takes a number above 0 or all, not {asked!r}.")
    from captioning.backend import use_devices

    count = use_devices(None if asked == "all" else int(asked))
    if config.images_per_batch % count:
        raise ConfigError(
            f"images_per_batch is {config.images_per_batch}, which {count} devices cannot share "
            "evenly. Set it to a multiple: --set images_per_batch=..."
        )


def _command(arguments: argparse.Namespace) -> str:
    # The command goes into the model card, which should not reveal private paths.
    words = ["python", "-m", "captioning", "train"]
    if arguments.config:
        config = Path(arguments.config)
        absolute = config.is_absolute()
        words += ["--config", f"{config.parent.name}/{config.name}" if absolute else str(config)]
    for folder in arguments.data:
        words += ["--data", Path(folder).name]
    for setting in arguments.set:
        name, _, value = setting.partition("=")
        words += ["--set", f"{name}={Path(value).name}" if name == "sentences" else setting]
    return shlex.join(words)


def _scores(event: dict[str, Any]) -> str:
    """Write the scores; with several data sets also the CIDEr of each, whose mean chooses."""
    parts = [f"{name} {scores['cider']:.1f}" for name, scores in event.get("by_data", {}).items()]
    return format_headline(event) + (f" ({', '.join(parts)})" if parts else "")


def show_event(event: dict[str, Any]) -> None:
    """Print a training event."""
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
            left = event["seconds_left"]
            left = f", {clock(left)} left" if left is not None else ""
            progress_line(f"{where}, step {event['step']}, loss {event['loss']:.3f}{left}")
        case "epoch":
            figures = f"loss {event['loss']:.3f}, dev {event['dev_loss']:.3f}"
            progress_line(f"{where}: {figures}, {_scores(event)}", done=True)
        case "start_scores":
            text = f"{event['model']} before training: {_scores(event)}"
            progress_line(text, done=True)
        case "average":
            share = f"{event['share']:.0%} of the weights before training"
            progress_line(f"{share}: {_scores(event)}", done=True)
        case "resume":
            progress_line(f"resuming at {where}, step {event['step']}", done=True)
        case "damaged":
            progress_line(f"{event['checkpoint']} is damaged and was skipped", done=True)
