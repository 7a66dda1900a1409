"""Read text and JSON files in any common encoding."""

import codecs
import errno
import io
import re
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

from charset_normalizer import from_bytes

from captioning.errors import DatasetError
from captioning.storage import open_regular_file, parse_json, read_regular_file

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Text has almost no control characters; random bytes have one in nine.
_CONTROL_SHARE = 0.001
# Flickr8k's captions are 3 MB, COCO's annotations about 90, Karpathy's file of COCO 144.
_MAX_BYTES = 500_000_000
# Conceptual Captions, the largest table of captions that people use, has 3.3 million.
_MAX_LINES = 3_500_000
# UTF-32 first: its byte-order mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings of Excel and older programs outside Western Europe.
_CANDIDATES = (
    *("gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1251", "cp1253", "cp1255", "cp1256"),
    *("cp1250", "cp1254", "cp874", "mac_roman"),
)
_SAMPLE = 100_000
START = 10_000
"""Bytes that show the kind of a file."""
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
# Five Hebrew letters have another form at the end of a word.  In Cyrillic text the same bytes are
# frequent letters inside words.
_FINAL_INSIDE = re.compile(rb"[\xea\xed\xef\xf3\xf5](?=[\xe0-\xfa])")
# Russian has further letters, such as those for ya and soft sign, in one of fifteen places.
_HEBREW = re.compile(rb"[\xe0-\xfa]{20,}")
_QUOTES = "\u2018\u2019\u201c\u201d\u201e\u2026\u2013\u2014\xab\xbb"
_IN_WORD = re.compile(r"(?<=[a-z])[^\x00-\x7f]|[^\x00-\x7f](?=[a-z])")


def read_text(path: Path, encoding: str | None = None, remarks: list[str] | None = None) -> str:
    r"""Return the text of a file, with line ends as "\n".

    Without `encoding`, UTF-8 with or without a byte-order mark, UTF-16 and UTF-32 are detected; in
    a UTF-8 file, damaged bytes are replaced.  Any other encoding is guessed from the bytes.

    Args:
        path: The file.
        encoding: A name that Python knows, such as "gb18030"; None to detect it.
        remarks: Receives a sentence about guesses or replaced bytes.

    Raises:
        DatasetError: The file cannot be read or is not text, or the encoding is unknown or wrong.
    """
    text, remark = _decode(_read(path), path, encoding)
    if remark and remarks is not None:
        remarks.append(remark)
    return _lf(text)


def read_lines(
    path: Path, encoding: str | None = None, remarks: list[str] | None = None
) -> list[str]:
    """Return the lines of a text file, without line ends and trailing blank lines.

    Arguments and errors are those of `read_text`; more than 3.5 million lines are an error, too.
    """
    text = read_text(path, encoding, remarks).rstrip("\n\t ")
    if text.count("\n") >= _MAX_LINES:
        raise DatasetError(
            f"'{path}' has more than {_MAX_LINES:,} lines, the most that a caption file may have. "
            "Divide it into smaller files."
        )
    return text.split("\n") if text else []


def read_start(path: Path) -> str:
    """Return about the first `START` bytes as text, to detect the kind of file; never raises."""
    try:
        with open_regular_file(path) as file:
            start = file.read(START)
    except OSError:
        return ""
    encoding = _marked(start) or _unmarked_utf16(start) or "utf-8"
    return _lf(start.decode(encoding, errors="replace"))


def read_json(
    path: Path,
    without: Collection[str] = (),
    encoding: str | None = None,
    remarks: list[str] | None = None,
) -> Any:
    """Return the contents of a JSON file.

    Args:
        path: The file.
        without: Keys to skip everywhere, to save memory; one key fills most of Karpathy's file of
            COCO.
        encoding: As for `read_text`.
        remarks: As for `read_text`.

    Raises:
        DatasetError: The file cannot be read, or is not JSON.
    """

    def lighter(found: dict[str, Any]) -> dict[str, Any]:
        for key in without:
            found.pop(key, None)
        return found

    text = read_text(path, encoding, remarks)
    try:
        return parse_json(text, lighter if without else None)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"'{path}' is damaged or incomplete: it is not JSON ({error}). Download or unpack it "
            "again."
        ) from error


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(path: Path) -> bytes:
    try:
        return read_regular_file(path, _MAX_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise DatasetError(
                f"'{path}' is too large for a caption file: more than {_MAX_BYTES // 10**6} MB."
            ) from error
        raise DatasetError(f"'{path}' cannot be read ({error.strerror}).") from error


def _decode(data: bytes, path: Path, encoding: str | None) -> tuple[str, str]:
    """Return the text, and a remark for the user or ""."""
    data = data.removesuffix(b"\x1a")  # the end-of-file mark of DOS
    text, remark = _named(data, path, encoding) if encoding else _found_out(data, path)
    text = text.rstrip("\0")  # a crash while the file was written leaves zeros at its end
    controls = len(_CONTROL.findall(text))
    if controls > max(2, _CONTROL_SHARE * len(text)):
        raise DatasetError(
            f"'{path}' is not a text file: its content is binary. The caption file may be damaged, "
            "or another file may have its name. Copy or unpack it again."
        )
    return (_CONTROL.sub("", text) if controls else text), remark


def _named(data: bytes, path: Path, encoding: str) -> tuple[str, str]:
    try:
        name = codecs.lookup(encoding).name
        text = data.decode("utf-8-sig" if name == "utf-8" else name)
    except (LookupError, TypeError, ValueError) as error:
        if not isinstance(error, UnicodeDecodeError):
            raise DatasetError(
                f"There is no encoding '{encoding}'. Common ones are utf-8, cp1252 (Western "
                "Europe), gb18030 (Chinese), cp932 (Japanese), cp1251 (Cyrillic)."
            ) from error
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"'{path}' is not in the encoding {encoding}: line {line} is invalid. Choose another "
            "encoding, or none to detect it."
        ) from error
    return text, ""


def _found_out(data: bytes, path: Path) -> tuple[str, str]:
    encoding = _marked(data) or _unmarked_utf16(data)
    if encoding:
        return data.decode(encoding, errors="replace"), ""
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    whole = len(text) - len(text.encode("ascii", "ignore")) - damaged
    if whole > damaged:
        lines = enumerate(io.StringIO(_lf(text)), 1)  # one by one: there may be millions
        numbers = (number for number, line in lines if "\ufffd" in line)
        first = list(islice(numbers, 4))
        count = len(first) + sum(1 for _ in numbers)
        shown = ", ".join(map(str, first[:3])) + (", ..." if count > 3 else "")
        return text, (
            f"'{path.name}' is UTF-8, but {count:,} of its lines (line {shown}) "
            f"{'holds' if count == 1 else 'hold'} invalid characters; they were replaced "
            "with '\ufffd'."
        )
    encoding = _guess(data)
    return data.decode(encoding, errors="replace"), (
        f"'{path.name}' is not UTF-8; its encoding is probably {encoding}. If letters look "
        "wrong, set the encoding (--encoding, or under Get data)."
    )


def _marked(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)


def _unmarked_utf16(data: bytes) -> str | None:
    """Detect UTF-16 without a byte-order mark by the zero bytes of ASCII characters."""
    start = data[:2000]
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if (
            len(zeros) > 4
            and zeros.count(0) > 0.4 * len(zeros)
            and start.count(0) < 0.6 * len(start)
        ):
            return encoding
    return None


def _guess(data: bytes) -> str:
    """Return the most likely encoding of text that is not UTF-8, by default cp1252.

    Western non-ASCII letters are isolated between ASCII letters; other scripts form long runs.
    """
    marked = (line for line in io.BytesIO(data) if not line.isascii())
    lines = b"".join(islice(marked, _SAMPLE))[:_SAMPLE]
    runs = [len(run) for run in _HIGH_RUN.findall(lines)]
    alone = sum(length for length in runs if length <= 2) / sum(runs)
    inside = _IN_WORD.findall(lines.decode("cp1252", errors="replace"))
    odd = sum(c.isupper() or not (c.isalpha() or c in _QUOTES) for c in inside)
    if alone > 0.6 and odd <= 0.2 * len(inside):
        return "cp1252"
    finals_inside = len(_FINAL_INSIDE.findall(lines))
    if alone < 0.5 and not finals_inside and _HEBREW.fullmatch(b"".join(_HIGH_RUN.findall(lines))):
        return "cp1255"
    candidates = list(_CANDIDATES)
    if finals_inside > 0.05 * len(runs):
        candidates.remove("cp1255")
    best = from_bytes(lines, cp_isolation=candidates).best()
    return best.encoding if best else "cp1252"
