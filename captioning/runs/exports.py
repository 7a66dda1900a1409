"""Exports of a run: CSV, event files for TensorBoard, and a report as one HTML file.

The report needs no server, no network and no script.

An event file is a sequence of records, each framed by its length and masked CRC-32C sums, around a
protocol buffer `Event`.  Scalars need five of its fields, so they are written here without
TensorFlow.  Formats: `tensorflow/core/lib/io/record_writer.cc` and `core/util/event.proto`.
"""

import base64
import csv
import html
import io
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from captioning.metrics import METRICS, format_headline, headline_metrics
from captioning.runs.curves import Curves, alarms_of, read_curves
from captioning.runs.record import Run
from captioning.settings import flattened


def epochs_csv(curves: Curves) -> str:
    """Write a header and a line for each finished epoch."""
    columns = ("epoch", "loss", "dev_loss", *METRICS, "forced_bleu_4", "learning_rate", "n")
    text = io.StringIO()
    table = csv.DictWriter(text, (*columns, "seconds"), extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(curves.epochs)
    return text.getvalue()


def tensorboard_events(curves: Curves) -> bytes:
    """Return the bytes of an `events.out.tfevents...` file: one point an epoch for each curve."""
    begun: float = curves.epochs[0].get("time", 0.0) if curves.epochs else 0.0
    tags = {
        "loss/train": "loss",
        "loss/dev": "dev_loss",
        **{f"dev/{metric.name}": metric.name for metric in headline_metrics()},
        "dev/forced_bleu_4": "forced_bleu_4",
        "learning_rate": "learning_rate",
    }
    records = [_double(1, begun) + _bytes(3, b"brain.Event:2")]
    for row in curves.epochs:
        values = [_value(tag, row[key]) for tag, key in tags.items() if key in row]
        head = _double(1, row.get("time", begun)) + _integer(2, row["epoch"])
        records.append(head + _bytes(5, b"".join(values)))
    return b"".join(_framed(record) for record in records)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of `data`.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _crc_table() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_TABLE = tuple(_crc_table())


def _masked(data: bytes) -> bytes:
    value = crc32c(data)
    rotated = (value >> 15 | value << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def _framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _masked(length) + record + _masked(record)


def _value(tag: str, number: float) -> bytes:
    """A `Summary.Value` with a tag and a scalar, as a field of its `Summary`."""
    return _bytes(1, _bytes(1, tag.encode()) + _key(2, 5) + struct.pack("<f", number))


def _key(field: int, wire: int) -> bytes:
    return bytes([field << 3 | wire])


def _double(field: int, number: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", number)


def _integer(field: int, number: int) -> bytes:
    return _key(field, 0) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 220, 52, 28
_COLOURS = ("#0e766e", "#a04a3c", "#5b4b8a")

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-family: Georgia, serif; font-weight: 500; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #8884; }
td.number { text-align: right; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #777; }
.wide { overflow-x: auto; } img { width: 112px; border-radius: 6px; }
figure { margin: 1rem 0; } figcaption { color: #777; }
"""


def html_report(run: Run, photos: Mapping[str, bytes] | None = None) -> str:
    """Write the report of a run.

    Args:
        run: finished or not.
        photos: small JPEG pictures of the captioned photos by name, as far as they exist.

    Raises:
        ConfigError: the run's settings are damaged.
    """
    curves, photos = read_curves(run), photos or {}
    alarms = alarms_of(curves.epochs, run.status.message)
    title = html.escape(run.config.name)
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{html.escape(_sentence(run, curves))}</p>",
        f"<p>{html.escape(run.note)}</p>" if run.note else "",
        *(f"<p><strong>{html.escape(alarm.text)}</strong></p>" for alarm in alarms),
        "<h2>Learning</h2>",
        _chart(curves.epochs, {"training loss": "loss", "dev loss": "dev_loss"}, "nats per word"),
        _chart(
            curves.epochs,
            {"BLEU-4": "bleu_4", "BLEU-4 with teacher forcing": "forced_bleu_4"},
            "BLEU-4 on dev",
        ),
        _chart(curves.epochs, {"CIDEr": "cider"}, "CIDEr on dev"),
        _epochs_table(curves.epochs),
        "<h2>The same photos after each epoch</h2>" if curves.filmstrip else "",
        _filmstrip(curves, photos),
        "<h2>Settings</h2>",
        _table(("setting", "value"), list(flattened(run.config.to_dict()).items())),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _sentence(run: Run, curves: Curves) -> str:
    made = time.strftime("%d %B %Y, %H:%M", time.localtime(run.status.created))
    text = f"Run {run.id}, made on {made}: {run.status.state}. {run.status.message}"
    best = curves.kept
    if best is None:
        return text
    average = f", averaged with {best['share']:.0%} of the start" if "share" in best else ""
    return (
        f"{text} Epoch {best['epoch']} of {len(curves.epochs)} was the best{average}: "
        f"{format_headline(best)} on {best.get('n', 0):,} dev photos, beam "
        f"{run.config.decoding.beam_width}, after {curves.epochs[-1]['seconds'] / 60:.1f} minutes "
        "in all."
    )


def _chart(rows: Sequence[Mapping[str, Any]], lines: Mapping[str, str], unit: str) -> str:
    """Draw figures over epochs as lines with a dot an epoch, as inline SVG."""
    values = [float(row[key]) for row in rows for key in lines.values() if key in row]
    if not values:
        return ""
    low, high = min(values), max(values)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    first, last = int(rows[0]["epoch"]), int(rows[-1]["epoch"])

    def across(epoch: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 12) * (epoch - first) / max(last - first, 1)

    def down(value: float) -> float:
        return 12 + (_HEIGHT - _BOTTOM - 12) * (high - value) / (high - low)

    drawn = [
        f'<text x="0" y="{down(value) + 4:.0f}">{value:.3g}</text>'
        f'<path d="M{_LEFT} {down(value):.1f}H{_WIDTH}" stroke="#8884"/>'
        for value in (low, (low + high) / 2, high)
    ]
    for colour, key in zip(_COLOURS, lines.values(), strict=False):
        points = [(across(row["epoch"]), down(row[key])) for row in rows if key in row]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    foot = f'<text x="{_LEFT}" y="{_HEIGHT - 6}">epoch {first}</text>'
    foot += f'<text x="{_WIDTH - 60}" y="{_HEIGHT - 6}">epoch {last}</text>'
    names = ", ".join(
        f'<span style="color:{colour}">{html.escape(name)}</span>'
        for colour, name in zip(_COLOURS, lines, strict=False)
    )
    picture = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="{html.escape(unit)} over epochs">{"".join(drawn)}{foot}</svg>'
    )
    return f"<figure>{picture}<figcaption>{html.escape(unit)}: {names}</figcaption></figure>"


def _epochs_table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = ("epoch", "loss", "dev_loss", "bleu_4", "forced_bleu_4", "cider")
    return _table(names, [[_number(row.get(name)) for name in names] for row in rows])


def _filmstrip(curves: Curves, photos: Mapping[str, bytes]) -> str:
    if not curves.filmstrip:
        return ""
    head = ("", *(f"epoch {epoch}" for epoch in sorted(curves.filmstrip)))
    rows = []
    for place, name in enumerate(curves.photos):
        picture = _picture(name, photos.get(name))
        captions = [curves.filmstrip[epoch][place] for epoch in sorted(curves.filmstrip)]
        cells = "".join(f"<td>{html.escape(caption)}</td>" for caption in captions)
        rows.append(f"<tr><td>{picture}</td>{cells}</tr>")
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f'<div class="wide"><table><tr>{titles}</tr>{"".join(rows)}</table></div>'


def _picture(name: str, jpeg: bytes | None) -> str:
    if jpeg is None:
        return html.escape(name)
    data = base64.b64encode(jpeg).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(name)}">'


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
