"""Annotation files in COCO's form: photos and captions in two lists, joined by the photo's id."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioning.datasets.assembly import Row
from captioning.datasets.data_issues import Oddities
from captioning.datasets.text_files import read_json
from captioning.errors import DatasetError

__all__ = ["has_coco_form", "read_coco_form"]

_LISTS = re.compile(r'"(images|annotations)"\s*:\s*\[')


def has_coco_form(start: str) -> bool:
    """Tell whether a file that begins so has COCO's form; Karpathy's files have another."""
    is_karpathys = '"sentences"' in start
    return start.lstrip().startswith("{") and bool(_LISTS.search(start)) and not is_karpathys


def read_coco_form(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read one row per caption, under the photo's `file_name`.

    Args:
        path: The file.
        oddities: Where to count annotations of another form; added to.
        encoding: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, has another form, or holds no captions.
    """
    content = read_json(path, (), encoding, oddities.decisions)
    try:
        files = {_key(image["id"]): image["file_name"] for image in content["images"]}
        annotations = list(content["annotations"])
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"'{path}' is not an annotation file of COCO: it lacks the lists 'images' and "
            "'annotations', or one is of another form. Download it again."
        ) from error
    rows = []
    for number, annotation in enumerate(annotations, start=1):
        row = _row(annotation, files)
        if row is None:
            oddities.add_unreadable(f"entry {number}")
        else:
            rows.append(row)
    if not rows:
        raise DatasetError(f"'{path}' holds no captions{_reason(annotations, files)}.")
    return rows


def _row(annotation: Any, files: Mapping[str, Any]) -> Row | None:
    try:
        file, caption = files[_key(annotation["image_id"])], annotation["caption"]
    except (KeyError, TypeError):
        return None
    if not isinstance(file, str) or not isinstance(caption, str):
        return None
    return Row(file, caption)


def _key(identity: object) -> str:
    """Return an id as text, so that 7, 7.0, "7" and "007" are one.

    >>> _key(7.0), _key("007"), _key("a7")
    ('7', '7', 'a7')
    """
    text = str(identity).strip()
    return str(int(float(text))) if re.fullmatch(r"\d{1,15}(\.0+)?", text) else text


def _reason(annotations: list[Any], files: Mapping[str, Any]) -> str:
    ids = (a["image_id"] for a in annotations if isinstance(a, dict) and "image_id" in a)
    first = next(ids, None)
    if first is None or _key(first) in files or not files:
        return ""
    return (
        f": its annotations name photos by ids such as {first!r}, and none of these is the 'id' of "
        f"a photo in 'images', such as {next(iter(files))!r}"
    )
