"""Where the program finds what comes with it, and where it writes."""

from captioning.storage import data_folder, shipped_configs, shipped_models

__all__ = ["data_folder", "shipped_configs", "shipped_models"]
