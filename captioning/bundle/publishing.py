"""Models that a run has left, offered to everybody: published, renamed, and taken back.

A published model is a copy of the run's bundle among the models of the data folder, with a note of
who published it, when, and from which run.  The names of the models that come with the program are
reserved, so nobody's model takes the place of one of them.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from captioning.bundle.reading import (
    PUBLICATION,
    Bundle,
    bundle_folders,
    find_bundles,
    read_bundle,
)
from captioning.config import TrainingConfig
from captioning.errors import BundleError
from captioning.storage import data_folder, replacing_folder, shipped_models, write_json

__all__ = ["is_reserved", "publish_bundle", "rename_bundle", "unpublish_bundle"]


def publish_bundle(
    source: Path,
    name: str,
    *,
    run: str,
    by: str = "",
    replace: bool = False,
    models: Path | None = None,
) -> Bundle:
    """Copy a run's bundle among the models that are offered to everybody.

    Args:
        source: the bundle's folder.
        name: what to call the model.
        run: the run that it comes from.
        by: who publishes it; empty if that is not known.
        replace: whether a model of that name that somebody published may be replaced.
        models: where it is put; by default the models of the data folder.

    Raises:
        BundleError: the name is taken or reserved, or the copy cannot be written.
        ConfigError: the name cannot be a model's.
    """
    models = models or data_folder() / "models"
    _check_name(name)
    target = models / name
    if target.exists():
        if not replace:
            raise BundleError(f"There is a model called {name} already. Choose another name.")
        _check_not_lent(name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with _writing(target), replacing_folder(target, durable=True) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)
        write_json(part / PUBLICATION, {"run": run, "by": by, "at": now})
    return read_bundle(target)


def unpublish_bundle(name: str) -> None:
    """Take a published model back; the run that it came from keeps its own copy.

    Raises:
        BundleError: no such model was published, or another model reads photos with its encoder.
    """
    folder = _published(name)
    hidden = folder.with_name(f".{folder.name}.deleted")
    with _writing(folder):
        folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def rename_bundle(name: str, new_name: str) -> Bundle:
    """Give a published model another name.

    Raises:
        BundleError: no such model was published, another model reads photos with its encoder, or
            the new name is taken or reserved.
        ConfigError: the new name cannot be a model's.
    """
    folder = _published(name)
    _check_name(new_name)
    target = folder.with_name(new_name)
    if target.exists():
        raise BundleError(f"There is a model called {new_name} already. Choose another name.")
    with _writing(target):
        folder.rename(target)
    return read_bundle(target)


def _published(name: str) -> Path:
    """Return the folder of a model that may be taken back or renamed."""
    bundle = read_bundle(name)
    if bundle.published is None:
        raise BundleError(f"The model {name} was not published from a run, so it stays as it is.")
    _check_not_lent(bundle.name)
    return bundle.folder


def is_reserved(name: str) -> bool:
    """Tell whether a model that comes with the program has this name, in upper or lower case."""
    # Some file systems do not tell them apart.
    return name.casefold() in {one.name.casefold() for one in bundle_folders(shipped_models())}


def _check_name(name: str) -> None:
    TrainingConfig(name=name)  # refuses what cannot be a model's name
    if is_reserved(name):
        raise BundleError(
            f"{name} is the name of a model that comes with the app. Choose another name."
        )


def _check_not_lent(name: str) -> None:
    borrowers = [bundle.name for bundle in find_bundles() if bundle.encoder_from == name]
    if borrowers:
        raise BundleError(f"The model {borrowers[0]} reads photos with the encoder of {name}.")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"The model {target} cannot be written: {error}.") from error
