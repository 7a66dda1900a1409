"""Packages that add encoders, decoders or metrics when a program of this project starts."""

from functools import cache
from importlib.metadata import entry_points

from captioning.errors import ConfigError

__all__ = ["GROUP", "load_plugins"]

GROUP = "captioning.plugins"


@cache
def load_plugins() -> None:
    """Import the modules that installed packages name as entry points of the group `GROUP`.

    The command line, the processes of runs and the app call this once, so what a module registers
    is known to all of them.  A program of your own imports such a module itself.

    Raises:
        ConfigError: a module cannot be imported.
    """
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:  # somebody else's code
            raise ConfigError(
                f"The plugin {entry.name} ({entry.value}) cannot be loaded: {error}. Repair or "
                "uninstall the package that brings it."
            ) from error
