"""Read captions from JSON: a list of records, one record per line, or captions by photo."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from captioning.datasets.assembly import MAX_CAPTIONS, Row, check_number
from captioning.datasets.data_issues import Oddities
from captioning.datasets.photo_files import is_photo
from captioning.datasets.splitting import known_split
from captioning.datasets.tables import (
    CAPTION_KEYS,
    IMAGE_KEYS,
    SPLIT_KEYS,
    column_key,
    is_caption_key,
    numbered,
)
from captioning.datasets.text_files import read_json, read_lines, read_start
from captioning.errors import DatasetError

# Captions by photo name without its extension, such as {"0001": "a dog"}
_CAPTION_BY_NUMBER = re.compile(r'\{\s*"[^"]*\d"\s*:\s*(\[\s*"|"|\{\s*"captions?"\s*:)')

# A text, to the end if it is not closed, and the colon after it; so that each is read only once
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)(\s*:)?', re.DOTALL)

_MAX_KEYS = 1_000
_CONVERSATION_KEYS = ("conversations", "conversation", "messages")
_CONVERSATIONS = frozenset(_CONVERSATION_KEYS)
_ANSWERERS = ("gpt", "assistant", "model")


def has_records(start: str) -> bool:
    """Return whether a file with this beginning contains JSON records of photos and captions."""
    start = start.lstrip()
    if not start.startswith(("{", "[")):
        return False
    keys = [text for text, colon in _TEXT.findall(start) if colon]
    columns = [column_key(key) for key in keys]
    if any(is_photo(key) for key in keys[:1]) or _CAPTION_BY_NUMBER.match(start):
        return True
    has_text = any(is_caption_key(key) or key in _CONVERSATION_KEYS for key in columns)
    return has_text and not set(columns).isdisjoint((*IMAGE_KEYS, "images"))


def read_records(path: Path, oddities: Oddities, encoding: str | None = None) -> list[Row]:
    """Read JSON records: lists of objects, one object per line, or captions by photo.

    The keys are the same as the column names of tables; a caption may be a list of captions.  There
    may be one list for each split, under its name.

    Args:
        path: The file; one object per line, or one JSON value.
        oddities: Receives records in another form.
        encoding: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, is not JSON, or has no such record.
    """
    rows: list[Row] = []
    longer = 0
    for place, record in _json_records(path, oddities, encoding):
        found = _rows_of(record)
        if not found:
            oddities.add_unreadable(place)
        longer += isinstance(record, dict) and len(_answers(record)) > 1
        rows += found
        check_number(rows, path)
    if longer:
        oddities.decisions.append(
            f"{longer:,} conversations have several answers; the first is read as the caption."
        )
    if not rows:
        raise DatasetError(
            f"'{path}' contains no captions: no record has a photo ('image', 'file_name', "
            "...) and a caption ('caption', 'text', ...)."
        )
    return rows


def _json_records(
    path: Path, oddities: Oddities, encoding: str | None
) -> Iterator[tuple[str, Any]]:
    if _is_line_by_line(path):
        for number, line in enumerate(read_lines(path, encoding, oddities.decisions), start=1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except (ValueError, RecursionError):
                    yield f"line {number}", None
        return
    content = read_json(path, (), encoding, oddities.decisions)
    if isinstance(content, dict):
        lists = {k: v for k, v in content.items() if isinstance(v, list) and v and _rows_of(v[0])}
        if lists and all(map(known_split, lists)):
            content = [_marked(record, key) for key, records in lists.items() for record in records]
        elif lists and not any(map(is_photo, content)):
            content = next(iter(lists.values()))
        else:
            content = [_record_of(name, value) for name, value in content.items()]
    for number, record in enumerate(content if isinstance(content, list) else (), start=1):
        yield f"entry {number}", record


def _is_line_by_line(path: Path) -> bool:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return not read_start(path).lstrip().startswith("[")
    lines = read_start(path).strip().split("\n")
    try:
        return len(lines) > 1 and isinstance(json.loads(lines[0]), dict)
    except (ValueError, RecursionError):
        return False


def _marked(record: Any, split: str) -> Any:
    return {"split": split, **record} if isinstance(record, dict) else record


def _record_of(name: str, value: Any) -> dict[str, Any]:
    return (
        {"image": name, **value} if isinstance(value, dict) else {"image": name, "captions": value}
    )


def _rows_of(record: Any) -> list[Row]:
    few = isinstance(record, dict) and len(record) <= _MAX_KEYS
    return _rows_of_record(record) if few else []


@dataclass(frozen=True)
class _Keys:
    """The keys of a record that may hold what is looked for, most likely first."""

    image: tuple[str, ...]
    images: str | None
    captions: tuple[str, ...]
    split: tuple[str, ...]


@lru_cache(maxsize=8)  # the records of a file nearly all have the same keys
def _known_keys(keys: tuple[str, ...]) -> _Keys:
    columns = {column_key(key): key for key in keys}
    captions = next(filter(None, (numbered(list(columns), name) for name in CAPTION_KEYS)), ())
    in_order = list(columns.values())
    return _Keys(
        tuple(columns[key] for key in IMAGE_KEYS if key in columns),
        columns.get("images"),
        tuple(in_order[place] for place in captions),
        tuple(columns[key] for key in SPLIT_KEYS if key in columns),
    )


def _rows_of_record(record: Mapping[str, Any]) -> list[Row]:
    keys = _known_keys(tuple(record))
    name = next((record[key] for key in keys.image if _is_name(record[key])), None)
    several = record[keys.images] if keys.images is not None else None
    if name is None and isinstance(several, list) and len(several) == 1 and _is_name(several[0]):
        name = several[0]
    if name is None:
        return []
    split = next((record[key] for key in keys.split if isinstance(record[key], str)), None)
    texts = [text for key in keys.captions for text in _texts(record[key])]
    texts = texts or _texts(_answers(record)[:1])
    return [Row(str(name), text, split or None) for text in texts[: MAX_CAPTIONS + 1]]


def _answers(record: Mapping[str, Any]) -> list[Any]:
    """Return the answers of a conversation, as in LLaVA's files.

    >>> turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "a dog"}]
    >>> _answers({"image": "1.jpg", "conversations": turns})
    ['a dog']
    """
    if _CONVERSATIONS.isdisjoint(record):
        return []
    turns = next(record[key] for key in _CONVERSATION_KEYS if key in record)
    return [
        turn.get("value", turn.get("content"))
        for turn in (turns if isinstance(turns, list) else ())
        if isinstance(turn, dict) and turn.get("from", turn.get("role")) in _ANSWERERS
    ]


def _is_name(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and bool(value.strip()))


def _texts(value: Any, deepest: int = 8) -> list[str]:
    """Return the captions of a value: one, a list, or a list of objects as in Karpathy's files."""
    if not deepest:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        found = next((value[key] for key in ("raw", "caption", "text") if key in value), None)
        return _texts(found, deepest - 1)
    items = value if isinstance(value, list) else []
    return [text for item in items for text in _texts(item, deepest - 1)]
