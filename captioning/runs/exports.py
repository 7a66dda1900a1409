"""A run's curves for other programs: CSV, and the event files that TensorBoard reads.

An event file is a sequence of records, each framed by its length and masked CRC-32C sums, around a
protocol buffer `Event`.  Scalars need five of its fields, so they are written here without
TensorFlow.  Formats: `tensorflow/core/lib/io/record_writer.cc` and `core/util/event.proto`.
"""

import csv
import io
import struct
from collections.abc import Iterator

from captioning.metrics import METRICS, headline_metrics
from captioning.runs.curves import Curves

__all__ = ["crc32c", "epochs_csv", "tensorboard_events"]


def epochs_csv(curves: Curves) -> str:
    """Write one line for each finished epoch, under a line of names."""
    columns = ("epoch", "loss", "dev_loss", *METRICS, "forced_bleu_4", "learning_rate", "n")
    text = io.StringIO()
    table = csv.DictWriter(text, (*columns, "seconds"), extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(curves.epochs)
    return text.getvalue()


def tensorboard_events(curves: Curves) -> bytes:
    """Return the bytes of an `events.out.tfevents...` file: one point an epoch for each curve."""
    begun = curves.epochs[0]["time"] if curves.epochs else 0.0
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
        head = _double(1, row["time"]) + _integer(2, row["epoch"])
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
