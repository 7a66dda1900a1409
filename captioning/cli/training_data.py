"""The data sets that a configuration of `train` or `distill` names."""

from pathlib import Path

from captioning.config import TrainingConfig
from captioning.datasets import (
    CaptionDataset,
    available_datasets,
    generate_shapes,
    load,
    load_named,
)
from captioning.errors import ConfigError, DatasetError
from captioning.storage import data_folder
from captioning.training.distillation.settings import DistillationConfig


def open_dataset(name: str, encoding: str | None = None) -> CaptionDataset:
    """Load the data set in a folder, or the one of this name if there is no such folder.

    Raises:
        DatasetError: there is neither, or it cannot be read.
    """
    known = any(dataset.name == name for dataset in available_datasets())
    return load_named(name) if known and not Path(name).exists() else load(name, encoding)


def dataset_for(
    config: TrainingConfig | DistillationConfig, folder: str | None, encoding: str | None = None
) -> CaptionDataset:
    """Load the data set of a run; `shapes` is drawn if it does not exist yet.

    Args:
        config: the settings of the run.
        folder: the data set's folder or name; None to find it by `config.data`.
        encoding: of the caption files in `folder`; None to detect it.

    Raises:
        ConfigError: the configuration needs a data set and no folder was named.
        DatasetError: the folder is not a data set.
    """
    if folder:
        return open_dataset(folder, encoding)
    if config.data == "shapes":
        place = data_folder() / f"shapes-{config.shapes_count}-{config.seed}"
        try:
            return load(place)
        except DatasetError:  # it does not exist, or is only half drawn
            return generate_shapes(place, count=config.shapes_count, seed=config.seed)
    named = any(dataset.name == config.data for dataset in available_datasets())
    if named or (data_folder() / config.data).is_dir():
        return load_named(config.data)
    raise ConfigError(f"This configuration is for {config.data}: name its folder with --data.")


def further_datasets(config: TrainingConfig) -> list[CaptionDataset]:
    """Load the data sets that `config.extra_data` names: folders, or names below the data folder.

    Raises:
        DatasetError: one of them is not a data set.
    """
    return [load(name) if Path(name).is_dir() else load_named(name) for name in config.extra_data]
