"""`reproduce NAME --data DIR`: train every stage of a model that comes with a configuration.

A stage is a configuration, and needs the models of other stages.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioning.bundle import read_bundle
from captioning.config import TrainingConfig, read_training_config
from captioning.errors import BundleError, ConfigError
from captioning.settings import read_settings
from captioning.storage import data_folder, read_json, shipped_configs


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("reproduce", help="train a model and all it starts from")
    parser.add_argument("name", metavar="NAME", help="a model, or a file of configs/ without .json")
    parser.add_argument(
        "--data",
        metavar="DIR",
        action="append",
        default=[],
        help="folder or name of the data set; repeat it for the further ones, in order",
    )
    parser.add_argument(
        "--sentences", metavar="FILE", help="sentences without photos, for stages that read them"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change each training"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands and stop")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the stages that are missing, then the last; an interrupted stage is resumed."""
    stages = stages_of(arguments.name)
    for number, stage in enumerate(stages, 1):
        words = _words(stage, arguments)
        done = stage.made_here if stage is stages[-1] else stage.available
        command = shlex.join(["python", "-m", "captioning", *words])
        print(f"{number} of {len(stages)}: {command}{'  (done)' if done else ''}", flush=True)
        if arguments.dry_run or done:
            continue
        # A process of its own: what one stage leaves in memory and random states is gone.
        status = subprocess.run([sys.executable, "-m", "captioning", *words]).returncode  # noqa: S603
        if status:
            return status
    return 0


def _words(stage: "Stage", arguments: argparse.Namespace) -> list[str]:
    """Return the words of a stage's command."""
    data = [word for name in arguments.data[: len(stage.data)] for word in ("--data", name)]
    config = ["--config", str(stage.path)]
    if stage.distills:
        return ["distill", *config, *data, "--out", stage.makes]
    settings = list(arguments.set)
    if arguments.sentences and stage.reads_sentences:
        settings.append(f"sentences={arguments.sentences}")
    sets = [word for setting in settings for word in ("--set", setting)]
    checkpoints = str(data_folder() / "checkpoints" / stage.makes)
    return ["train", *config, *data, *sets, "--checkpoints", checkpoints]


@dataclass(frozen=True)
class Stage:
    """A training or a distillation.

    Attributes:
        makes: name of the model, or the folder of the encoder that a distillation leaves.
        path: the configuration.
        data: names of its data sets.
        needs: models and encoder folders that must be there first.
        distills: whether it is a distillation.
        reads_sentences: whether it needs a file of sentences without photos.
    """

    makes: str
    path: Path
    data: tuple[str, ...]
    needs: tuple[str, ...] = ()
    distills: bool = False
    reads_sentences: bool = False

    @property
    def folder(self) -> Path:
        """Where its result is written."""
        return Path(self.makes) if self.distills else data_folder() / "models" / self.makes

    @property
    def made_here(self) -> bool:
        """Whether its result is complete in its folder."""
        last = "encoder.safetensors" if self.distills else "config.json"
        return (self.folder / last).is_file()

    @property
    def available(self) -> bool:
        """Whether its result was made here or comes with the program."""
        return _is_model(self.makes)


def stages_of(name: str) -> list[Stage]:
    """Return all stages that lead to a model, each after those it needs, the model's own last.

    Args:
        name: of the model, or of a file in `configs/` without its ending.

    Raises:
        ConfigError: no configuration makes it, or one that it needs, or they need each other.
    """
    known = {stage.makes: stage for stage in _all_stages()}
    by_file = {stage.path.stem: stage.makes for stage in known.values() if not stage.distills}
    found: dict[str, Stage] = {}

    def add(makes: str, asked: tuple[str, ...]) -> None:
        if makes in asked:
            raise ConfigError(f"{' needs '.join([*asked, makes])}: such a model cannot be made.")
        if makes not in known:
            if asked and _is_model(makes):
                return
            raise ConfigError(
                f"No configuration makes {makes}. There are: {', '.join(sorted(by_file))}."
            )
        for needed in known[makes].needs:
            add(needed, (*asked, makes))
        found.setdefault(makes, known[makes])

    add(name if name in known else by_file.get(name, name), ())
    return list(found.values())


def missing_models(config: TrainingConfig) -> list[str]:
    """Return the models and encoders that a configuration needs and nobody has made yet."""
    return [name for name in _needs(config) if not _is_model(name)]


def _all_stages() -> Iterator[Stage]:
    for path in sorted(shipped_configs().glob("*.json")):
        config = read_training_config(path)
        data = (config.data, *config.extra_data)
        yield Stage(
            config.name, path, data, _needs(config), reads_sentences=config.sentences is not None
        )
    for path in sorted((shipped_configs() / "distill").glob("*.json")):
        makes = read_json(path, dict).get("_out")
        if makes:
            settings = read_settings(path)
            teacher = settings.get("teacher_from")
            yield Stage(
                makes, path, (settings["data"],), (teacher,) if teacher else (), distills=True
            )


def _needs(config: TrainingConfig) -> tuple[str, ...]:
    named = (config.encoder_from, config.start_from, *config.teachers)
    return tuple(name for name in named if name)


def _is_model(name: str) -> bool:
    if (Path(name) / "encoder.safetensors").is_file():
        return True
    try:
        read_bundle(name)
    except BundleError:
        return False
    return True
