"""The files of tutorials on captioning, for classes that follow one.

The tutorials pass `descriptions.txt`, `features.p` and `tokenizer.p` from script to script, and end
with `model.png`, the weights of a model and `testing_caption_generator.py`.  All of these can be
written from a model of this program; `descriptions.txt` and features (`.npz` or pickle) of a class
can be read and trained on.  Reading needs no Keras; writing imports it when it is first used.
"""

from typing import TYPE_CHECKING, Any

from captioning.tutorial_files.files import (
    ClassFiles,
    read_class_files,
    read_descriptions,
    read_features,
    take_over,
    write_descriptions,
    write_features,
    write_tokenizer,
)

if TYPE_CHECKING:
    from captioning.tutorial_files.writing import write_tutorial_files, zip_tutorial_files

__all__ = [
    "ClassFiles",
    "read_class_files",
    "read_descriptions",
    "read_features",
    "take_over",
    "write_descriptions",
    "write_features",
    "write_tokenizer",
    "write_tutorial_files",
    "zip_tutorial_files",
]


def __getattr__(name: str) -> Any:
    """Import what needs Keras when it is first used (PEP 562)."""
    if name in ("write_tutorial_files", "zip_tutorial_files"):
        from captioning.tutorial_files import writing

        return getattr(writing, name)
    raise AttributeError(f"module 'captioning.tutorial_files' has no attribute {name!r}")
