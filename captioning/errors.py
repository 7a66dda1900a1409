"""The errors this project raises on purpose, as one tree.

    CaptioningError
    +-- ConfigError        a setting is unknown, out of range, or contradicts another
    +-- ImageError         a photo cannot be read, or is refused before it is decoded
    +-- DatasetError       a folder is not the data set it was taken for
    |   +-- DownloadError  a data set cannot be fetched
    |       +-- DownloadStopped  somebody stopped fetching it
    +-- FeaturesError      stored features are missing, damaged, or of another encoder
    +-- WeightsError       an encoder's weights cannot be had
    +-- BundleError        a model folder is incomplete, damaged, or of another version
    +-- TrainingError      training cannot start or go on
    +-- RunError           a run cannot be found, made, or told what to do
    +-- QueryError         a search cannot be understood
    +-- PlayError          a round of a class cannot be found, or refuses a caption or vote
    +-- StorageError       a file of the program's own is missing or damaged

The text of each is written for the person who reads it: the page and the command line show it as
it stands.  Anything else that escapes the library is a bug.
"""

__all__ = [
    "BundleError",
    "CaptioningError",
    "ConfigError",
    "DatasetError",
    "DownloadError",
    "DownloadStopped",
    "FeaturesError",
    "ImageError",
    "PlayError",
    "QueryError",
    "RunError",
    "StorageError",
    "TrainingError",
    "WeightsError",
]


class CaptioningError(Exception):
    """Whatever this library raises on purpose; its text is for the person who reads it."""


class ConfigError(CaptioningError, ValueError):
    """A setting is unknown, out of range, or contradicts another."""


class ImageError(CaptioningError):
    """A photo cannot be read, or is refused before it is decoded."""


class DatasetError(CaptioningError):
    """A folder is not the data set it was taken for."""


class DownloadError(DatasetError):
    """A data set cannot be fetched: no network, no room, a refusal, or a broken transfer."""


class DownloadStopped(DownloadError):
    """Somebody stopped fetching a data set; what has come is kept."""


class FeaturesError(CaptioningError):
    """Stored features are missing, damaged, or belong to another encoder."""


class WeightsError(CaptioningError):
    """An encoder's weights cannot be had."""


class BundleError(CaptioningError):
    """A model folder is incomplete, damaged, or of another format version."""


class TrainingError(CaptioningError):
    """Training cannot start or go on."""


class RunError(CaptioningError):
    """A run cannot be found, made, or told what to do."""


class QueryError(CaptioningError):
    """A search cannot be understood."""


class PlayError(CaptioningError):
    """A round of a class cannot be found, or refuses a caption or a vote."""


class StorageError(CaptioningError):
    """A file that the program wrote itself is missing or damaged."""
