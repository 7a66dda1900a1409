"""A lesson as one HTML file to print: no server, no network, no script."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

_DOTS = 96  # a browser's pixels an inch

_STYLE = """
@page { size: A4; margin: 16mm 18mm; }
body { font: 11.5pt/1.45 Georgia, serif; color: #111; background: #fff;
       max-width: 174mm; margin: 8mm auto; padding: 0 4mm; }
h1 { font-size: 21pt; font-weight: 500; margin: 0 0 2mm; }
h2 { font-size: 14pt; font-weight: 600; margin: 7mm 0 2mm; break-after: avoid; }
p { margin: 0 0 3mm; }
figure { margin: 4mm 0; break-inside: avoid; }
figure img { max-width: 100%; max-height: 150mm; }
figure.photo { float: right; margin: 0 0 4mm 6mm; width: 52mm; }
figcaption, .small { font-size: 9.5pt; color: #444; }
.formula { text-align: center; } .formula img { max-width: 100%; max-height: 40mm; }
.formula code { white-space: pre-wrap; }
table { border-collapse: collapse; font-size: 10pt; font-variant-numeric: tabular-nums; }
td, th { padding: 1mm 4mm 1mm 0; text-align: left; border-bottom: .3mm solid #999; }
tr { break-inside: avoid; }
blockquote { margin: 0 0 4mm; font-size: 15pt; }
.ask { break-inside: avoid; margin: 5mm 0; }
.line { border-bottom: .3mm solid #777; height: 9mm; }
.name { margin: 0 0 6mm; } .name span { display: inline-block; width: 70mm; }
"""


@dataclass(frozen=True)
class Heading:
    """A heading inside the lesson."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        data: a PNG or JPEG file.
        alt: what it shows, for those who do not see it.
        caption: the line below it.
        dots_per_inch: of a PNG, so that it gets the size it was drawn for.
    """

    data: bytes
    alt: str
    caption: str = ""
    dots_per_inch: int = _DOTS


@dataclass(frozen=True)
class Table:
    """Rows of cells under names."""

    names: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


@dataclass(frozen=True)
class Formula:
    """A formula as it is written for LaTeX, and its picture, a PNG, where it could be drawn."""

    latex: str
    picture: bytes | None = None
    dots_per_inch: int = _DOTS


@dataclass(frozen=True)
class Ask:
    """A question with empty lines for the answer."""

    text: str
    lines: int = 3


Part = Heading | Text | Picture | Table | Formula | Ask


@dataclass(frozen=True)
class Worksheet:
    """All that is printed.

    Attributes:
        title: of the lesson.
        idea: of the lesson, in plain text.
        photo: the photo as JPEG or PNG; None leaves it out.
        photo_name: what to call it.
        caption: what the model wrote about it.
        model: which model.
        parts: what the lesson shows, in its order.
    """

    title: str
    idea: str
    photo: bytes | None
    photo_name: str
    caption: str
    model: str
    parts: Sequence[Part] = ()


def write(sheet: Worksheet) -> str:
    """Write a worksheet as a whole HTML page; every text in it is escaped."""
    title = html.escape(sheet.title)
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            '<p class="name small"><span>Name</span> Date</p>',
            _photo(sheet),
            f"<p>{html.escape(sheet.idea)}</p>",
            f"<blockquote>{html.escape(sheet.caption)}</blockquote>",
            f'<p class="small">Written by the model {html.escape(sheet.model)} about the photo '
            f"{html.escape(sheet.photo_name)}.</p>",
            *map(_part, sheet.parts),
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _photo(sheet: Worksheet) -> str:
    if sheet.photo is None:
        return ""
    return f'<figure class="photo">{_image(sheet.photo, f"The photo {sheet.photo_name}")}</figure>'


def _part(part: Part) -> str:
    match part:
        case Heading(text):
            return f"<h2>{html.escape(text)}</h2>"
        case Text(text):
            return f"<p>{html.escape(text)}</p>"
        case Picture(data, alt, caption, dots):
            below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
            return f"<figure>{_image(data, alt, dots)}{below}</figure>"
        case Table():
            return _table(part)
        case Formula():
            return f'<p class="formula">{_formula(part)}</p>'
        case Ask(text, lines):
            space = '<div class="line"></div>' * lines
            return f'<div class="ask"><p>{html.escape(text)}</p>{space}</div>'


def _formula(formula: Formula) -> str:
    if formula.picture is None:
        return f"<code>{html.escape(formula.latex)}</code>"
    return _image(formula.picture, formula.latex, formula.dots_per_inch)


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.names)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    below = f"<figcaption>{html.escape(table.caption)}</figcaption>" if table.caption else ""
    return f"<figure><table><tr>{head}</tr>{rows}</table>{below}</figure>"


def _image(data: bytes, alt: str, dots_per_inch: int = _DOTS) -> str:
    kind = "jpeg" if data[:2] == b"\xff\xd8" else "png"
    text = base64.b64encode(data).decode()
    # A PNG says its width in four bytes of its first chunk.
    dots = int.from_bytes(data[16:20], "big") if kind == "png" else 0
    width = f' width="{round(dots * _DOTS / dots_per_inch)}"' if dots else ""
    return f'<img src="data:image/{kind};base64,{text}" alt="{html.escape(alt)}"{width}>'
