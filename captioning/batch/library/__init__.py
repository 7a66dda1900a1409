"""A whole library of photos: captions into sidecars, photos, text files or a table, with undo."""

from captioning.batch.library.forms import CsvTable, Form, form_of
from captioning.batch.library.log import LibraryLog, log_folder
from captioning.batch.library.run import MinConfidence, Outcome, caption_library
from captioning.batch.library.undo import undo

__all__ = [
    "CsvTable",
    "Form",
    "LibraryLog",
    "MinConfidence",
    "Outcome",
    "caption_library",
    "form_of",
    "log_folder",
    "undo",
]
