"""The caption in an XMP packet, which is RDF in XML, edited as text.

Some programs rely on their own prefixes, so a packet is not parsed and written again: only the
properties of a caption are replaced, and all other bytes are kept.

Reference:
    XMP part 1 (ISO 16684-1); IPTC Photo Metadata Standard 2023.1 for the names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMESPACES = {
    "rdf": _RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    # No standard has names for these: Model, ModelVersion, Confidence.
    "captioning": "urn:captioning:metadata:1.0:",
}
_PREFIX_OF = {uri: prefix for prefix, uri in _NAMESPACES.items()}
_IN_LANGUAGES = ("dc:description", "Iptc4xmpCore:AltTextAccessibility")

_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
    '<rdf:Description rdf:about=""></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()
_MAX_BYTES = 2_000_000
_MAX_DEPTH = 100
_MAX_ELEMENTS = 100_000
_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(rb"""(?<=\s)([\w.-]+:[\w.-]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class _Element:
    """One element of the packet, with its offsets in bytes.

    Attributes:
        declared: the prefixes that its tag declares.
        names: of its attributes with their usual prefixes, by how the tag writes them.
    """

    name: str
    raw_name: str
    attributes: dict[str, str]
    declared: tuple[str, ...]
    names: dict[str, str]
    start: int
    inside: int
    closes_itself: bool
    closing: int = 0
    end: int = 0
    texts: list[str] = field(default_factory=list)
    items: list["_Element"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text, without that of the elements inside."""
        return "".join(self.texts)

    @property
    def is_default(self) -> bool:
        """Whether this item of a text in several languages is the default one."""
        return self.attributes.get("xml:lang", "x-default").lower() == "x-default"


@dataclass
class _Layout:
    """The descriptions of a packet, and the properties in them."""

    descriptions: list[_Element] = field(default_factory=list)
    properties: list[_Element] = field(default_factory=list)


def with_properties(packet: bytes | None, values: Mapping[str, str | None]) -> bytes | None:
    """Return a packet with some properties set, and all else unchanged.

    If a property has a text for each language, that of the default language is set.

    Args:
        packet: the old one; None creates a new one.
        values: by name with the usual prefix, such as `dc:description`; None removes a property.

    Returns:
        The packet, or None if the old one cannot be parsed.
    """
    old = _EMPTY if packet is None else packet
    layout = _layout(old)
    if layout is None or not layout.descriptions:
        return None
    edits = [(p.start, p.end, b"") for p in layout.properties if p.name in values]
    for description in layout.descriptions:
        edits += [(*span, b"") for span in _attributes(old, description, values)]
    first = layout.descriptions[0]
    added = b"".join(_written(old, layout, name, value) for name, value in values.items())
    if first.closes_itself:
        added = b">" + added + b"</" + first.raw_name.encode() + b">"
        edits.append((first.inside - len("/>"), first.inside, added))
    else:
        edits.append((first.closing, first.closing, added))
    parts, done = [], 0
    for start, end, text in sorted(edits):
        parts += [old[done:start], text]
        done = end
    return _padded(b"".join([*parts, old[done:]]), len(old))


def printable(text: str) -> str:
    """Remove the characters that XML does not allow: controls and lone surrogates."""
    return _NOT_IN_XML.sub("", text)


def read_properties(packet: bytes | None) -> dict[str, str]:
    """Return the known properties by name; none if the packet cannot be parsed."""
    layout = None if packet is None else _layout(packet)
    if layout is None:
        return {}
    found = {
        name: value
        for description in layout.descriptions
        for name, value in description.attributes.items()
        if name.partition(":")[0] in _PREFIX_OF.values()
    }
    for element in layout.properties:
        items = sorted(element.items, key=lambda item: not item.is_default)
        found[element.name] = items[0].text if items else element.text.strip()
    return found


def _written(old: bytes, layout: _Layout, name: str, value: str | None) -> bytes:
    """Write a property, with its old texts in other languages."""
    prefix = name.partition(":")[0]
    text = None if value is None else escape(printable(value))
    if name not in _IN_LANGUAGES:
        opening = f'<{name} xmlns:{prefix}="{_NAMESPACES[prefix]}">'
        return b"" if text is None else f"{opening}{text}</{name}>".encode()
    others = b"".join(
        old[item.start : item.end]
        for element in layout.properties
        if element.name == name
        for item in element.items
        if not item.is_default
    )
    if text is not None:
        others = f'<rdf:li xml:lang="x-default">{text}</rdf:li>'.encode() + others
    opening = f'<{name} xmlns:{prefix}="{_NAMESPACES[prefix]}"><rdf:Alt xmlns:rdf="{_RDF}">'
    return opening.encode() + others + f"</rdf:Alt></{name}>".encode() if others else b""


def _attributes(
    packet: bytes, element: _Element, values: Mapping[str, str | None]
) -> list[tuple[int, int]]:
    """Find the properties that are attributes of a description's tag."""
    return [
        match.span()
        for match in _ATTRIBUTE.finditer(packet, element.start, element.inside)
        if element.names.get(match[1].decode()) in values
    ]


def _padded(packet: bytes, length: int) -> bytes:
    """Shorten the padding at the end of a packet by what was added, if it has padding."""
    end = packet.rfind(b"<?xpacket end")
    body = packet[: max(end, 0)].rstrip(b" \t\r\n")
    if not body or len(body) == end:
        return packet
    room = max(end - len(body) - (len(packet) - length), 1)
    return body + b" " * (room - 1) + b"\n" + packet[end:]


def _layout(packet: bytes) -> _Layout | None:
    """Find descriptions and properties; None if the packet cannot be parsed."""
    # XMP needs no document type, which XML bombs and external entities use.
    if len(packet) > _MAX_BYTES or re.search(rb"<!(?:DOCTYPE|ENTITY)", packet, re.IGNORECASE):
        return None
    try:
        return _Reader(packet).read()
    except (expat.ExpatError, ValueError, AttributeError):
        return None


class _Reader:
    """Parses the elements of a packet.

    Expat ignores namespaces here, so an undeclared prefix, as some phones write, is not an error.
    """

    def __init__(self, packet: bytes) -> None:
        self.packet = packet
        self.found = _Layout()
        self.open: list[_Element] = []
        self.elements = 0
        self.namespaces: dict[str, list[str]] = {}  # of each prefix, the innermost last
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def read(self) -> _Layout:
        """Return the descriptions and properties."""
        self.parser.Parse(self.packet.rstrip(b"\0"), True)
        return self.found

    def _start(self, raw_name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if len(self.open) == _MAX_DEPTH or self.elements > _MAX_ELEMENTS:
            raise ValueError("nested too deeply, or too many elements")
        declared = {k[6:]: v for k, v in attributes.items() if k.startswith("xmlns:")}
        for prefix, uri in declared.items():
            self.namespaces.setdefault(prefix, []).append(uri)
        names = {raw: self._known_name(raw) for raw in attributes}
        start = self.parser.CurrentByteIndex
        inside = _TAG.match(self.packet, start).end()  # type: ignore[union-attr]
        self.open.append(
            _Element(
                name=self._known_name(raw_name),
                raw_name=raw_name,
                attributes={names[raw]: value for raw, value in attributes.items()},
                declared=tuple(declared),
                names=names,
                start=start,
                inside=inside,
                closes_itself=self.packet[inside - 2 : inside] == b"/>",
            )
        )

    def _end(self, _: str) -> None:
        path = [element.name for element in self.open[-5:]]
        element = self.open.pop()
        for prefix in element.declared:
            self.namespaces[prefix].pop()
        element.closing = element.end = element.inside
        if not element.closes_itself:
            element.closing = self.parser.CurrentByteIndex
            element.end = self.packet.index(b">", element.closing) + 1
        if path[-2:] == ["rdf:RDF", "rdf:Description"]:
            self.found.descriptions.append(element)
        elif path[-3:-1] == ["rdf:RDF", "rdf:Description"]:
            self.found.properties.append(element)
        elif path[-5:-3] == ["rdf:RDF", "rdf:Description"] and path[-1] == "rdf:li":
            self.open[-2].items.append(element)

    def _known_name(self, raw: str) -> str:
        """Return a name with its usual prefix; an undeclared prefix counts as the usual one."""
        prefix, _, local = raw.rpartition(":")
        declared = self.namespaces.get(prefix)
        uri = declared[-1] if declared else _NAMESPACES.get(prefix, "")
        return f"{_PREFIX_OF[uri]}:{local}" if uri in _PREFIX_OF else raw

    def _text(self, text: str) -> None:
        if self.open:
            self.open[-1].texts.append(text)
