"""The exceptions that this library raises, as one class hierarchy.

    CaptioningError
    +-- ConfigError        a setting is unknown, out of range, or contradicts another
    +-- ImageError         a photo cannot be read, or is refused before it is decoded
    +-- DatasetError       a folder does not hold the expected data set
    |   +-- DownloadError  a data set cannot be downloaded
    |       +-- DownloadStopped  a person stopped the download
    +-- FeaturesError      stored features are missing, damaged, or from another encoder
    +-- WeightsError       an encoder's weights cannot be found or downloaded
    +-- BundleError        a model folder is incomplete, damaged, or of another version
    +-- TrainingError      training cannot start or continue
    +-- RunError           a run cannot be found, created or controlled
    +-- QueryError         a search query is not valid
    +-- PlayError          a class game round cannot be found, or refuses a caption or vote
    +-- StorageError       a file that the program wrote is missing or damaged

Error messages are written for users: the pages and the command line show them unchanged.  Any other
exception that leaves the library is a bug.
"""

import reprlib


class CaptioningError(Exception):
    """Base class of the library's errors; the message is written for users."""


class ConfigError(CaptioningError, ValueError):
    """A setting is unknown, out of range, or contradicts another."""


class ImageError(CaptioningError):
    """A photo cannot be read, or is refused before it is decoded."""


class DatasetError(CaptioningError):
    """A folder does not hold the expected data set."""


class DownloadError(DatasetError):
    """A download failed: no network, no disk space, access refused, or a broken transfer."""


class DownloadStopped(DownloadError):
    """A person stopped a download; the part received so far is kept."""


class FeaturesError(CaptioningError):
    """Stored features are missing, damaged, or belong to another encoder."""


class WeightsError(CaptioningError):
    """An encoder's weights cannot be found or downloaded."""


class BundleError(CaptioningError):
    """A model folder is incomplete, damaged, or of another format version."""


class TrainingError(CaptioningError):
    """Training cannot start or continue."""


class RunError(CaptioningError):
    """A run cannot be found, created or controlled."""


class QueryError(CaptioningError):
    """A search query is not valid."""


class PlayError(CaptioningError):
    """A class game round cannot be found, or refuses a caption or a vote."""


class StorageError(CaptioningError):
    """A file that the program wrote is missing or damaged."""


_QUOTED = reprlib.Repr()
_QUOTED.maxstring = _QUOTED.maxother = 100


def quoted(value: object) -> str:
    """Return a value from a file as an error message quotes it, shortened and at most 6 deep.

    >>> quoted("many"), quoted([[[[[[[[]]]]]]]]), quoted("a" * 1000 + "b")[-5:]
    ("'many'", '[[[[[[...]]]]]]', "aaab'")
    """
    return _QUOTED.repr(value)
