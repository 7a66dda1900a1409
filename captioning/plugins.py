"""Plugins: packages that register encoders, decoders or metrics at start-up."""

from functools import cache
from importlib.metadata import entry_points

from captioning.errors import ConfigError

GROUP = "captioning.plugins"


@cache
def load_plugins() -> None:
    """Import the modules that installed packages declare as entry points in the group `GROUP`.

    The command line, run processes and the app call this once at start-up.  Your own programs can
    import such a module directly.

    Raises:
        ConfigError: a module cannot be imported.
    """
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:  # third-party code may raise anything
            raise ConfigError(
                f"The plugin {entry.name} ({entry.value}) cannot be loaded: {error}. Repair or "
                "uninstall its package."
            ) from error
