"""A whole library of photos: captions into sidecars, photos, text files or a table, with undo."""

from captioning.batch.library.forms import FORMS, Draft, Form, form_of
from captioning.batch.library.log import LibraryLog, Summary, log_folder
from captioning.batch.library.run import MinConfidence, Outcome, caption_library
from captioning.batch.library.table import CsvTable
from captioning.batch.library.undo import Undone, undo

__all__ = [
    "FORMS",
    "CsvTable",
    "Draft",
    "Form",
    "LibraryLog",
    "MinConfidence",
    "Outcome",
    "Summary",
    "Undone",
    "caption_library",
    "form_of",
    "log_folder",
    "undo",
]
