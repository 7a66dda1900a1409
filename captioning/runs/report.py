"""A run as one HTML file that needs nothing else: no server, no network, no script."""

import base64
import html
import time
from collections.abc import Mapping, Sequence
from typing import Any

from captioning.metrics import format_headline
from captioning.runs.comparison import flat_settings
from captioning.runs.curves import Curves, read_curves
from captioning.runs.record import Run
from captioning.runs.warnings import alarms_of

__all__ = ["html_report"]

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
        photos: small JPEG pictures of the filmstrip's photos by name, where they are at hand.

    Raises:
        ConfigError: the run's settings are damaged.
    """
    curves, photos = read_curves(run), photos or {}
    title = html.escape(run.config.name)
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{html.escape(_sentence(run, curves))}</p>",
        f"<p>{html.escape(run.note)}</p>" if run.note else "",
        *(f"<p><strong>{html.escape(a.text)}</strong></p>" for a in _alarms(run, curves)),
        "<h2>Learning</h2>",
        _chart(curves.epochs, {"training loss": "loss", "dev loss": "dev_loss"}, "nats a word"),
        _chart(
            curves.epochs,
            {"BLEU-4, on its own": "bleu_4", "BLEU-4, true words before": "forced_bleu_4"},
            "BLEU-4 on dev",
        ),
        _chart(curves.epochs, {"CIDEr": "cider"}, "CIDEr on dev"),
        _epochs_table(curves.epochs),
        "<h2>The same photos after each epoch</h2>" if curves.filmstrip else "",
        _filmstrip(curves, photos),
        "<h2>Settings</h2>",
        _table(("setting", "value"), list(flat_settings(run.config).items())),
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
    if not curves.epochs:
        return text
    best = max(curves.epochs, key=lambda row: row["cider"])
    return (
        f"{text} Epoch {best['epoch']} of {len(curves.epochs)} was the best: "
        f"{format_headline(best)} on {best['n']:,} dev photos, beam "
        f"{run.config.decoding.beam_width}, after {curves.epochs[-1]['seconds'] / 60:.1f} minutes "
        "in all."
    )


def _alarms(run: Run, curves: Curves) -> Sequence[Any]:
    return alarms_of(curves.epochs, run.status.message)


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
        said = [curves.filmstrip[epoch][place] for epoch in sorted(curves.filmstrip)]
        cells = "".join(f"<td>{html.escape(caption)}</td>" for caption in said)
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
