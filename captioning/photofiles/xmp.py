"""The description in an XMP packet, which is RDF in XML.

Reference:
    XMP part 1 (ISO 16684-1); IPTC Photo Metadata Standard 2023.1 for the names.
"""

import re
import xml.etree.ElementTree as ET

__all__ = ["read_description", "with_description"]

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = "http://www.w3.org/XML/1998/namespace"
_DC = "http://purl.org/dc/elements/1.1/"
_NAMES = {
    "x": "adobe:ns:meta/",
    "rdf": _RDF,
    "dc": _DC,
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}
_DESCRIPTION = f"{{{_DC}}}description"
_ALT_TEXT = f"{{{_NAMES['Iptc4xmpCore']}}}AltTextAccessibility"
_WRITER = f"{{{_NAMES['photoshop']}}}CaptionWriter"
_ABOUT = f"{{{_RDF}}}Description"

_BEGIN = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = b'<?xpacket end="w"?>'

for _prefix, _name in _NAMES.items():
    ET.register_namespace(_prefix, _name)


def with_description(packet: bytes | None, text: str, writer: str | None) -> bytes:
    """Return a packet with the description, the text for people who cannot see, and its writer.

    Args:
        packet: what was there; all else in it stays.  None, or one that cannot be read, makes a
            new one.
        text: the description.
        writer: of the description; None removes an earlier one.
    """
    root = _parse(packet)
    about = root.find(f".//{_ABOUT}") if root is not None else None
    if root is None or about is None:
        root = ET.Element(f"{{{_NAMES['x']}}}xmpmeta")
        about = ET.SubElement(ET.SubElement(root, f"{{{_RDF}}}RDF"), _ABOUT)
        about.set(f"{{{_RDF}}}about", "")
    for place in root.iter(_ABOUT):
        for name in (_DESCRIPTION, _ALT_TEXT, _WRITER):
            place.attrib.pop(name, None)
            for old in place.findall(name):
                place.remove(old)
    for name in (_DESCRIPTION, _ALT_TEXT):
        choices = ET.SubElement(ET.SubElement(about, name), f"{{{_RDF}}}Alt")
        item = ET.SubElement(choices, f"{{{_RDF}}}li", {f"{{{_XML}}}lang": "x-default"})
        item.text = text
    if writer is not None:
        ET.SubElement(about, _WRITER).text = writer
    inner: bytes = ET.tostring(root, encoding="utf-8")
    return _BEGIN + inner + _END


def read_description(packet: bytes | None) -> tuple[str | None, str | None]:
    """Return the description and its writer, each None where the packet has none."""
    root = _parse(packet)
    if root is None:
        return None, None
    item = root.find(f".//{_DESCRIPTION}/{{{_RDF}}}Alt/{{{_RDF}}}li")
    writer = root.find(f".//{_WRITER}")
    attributes = [place.get(_WRITER) for place in root.iter(_ABOUT)]
    named = writer.text if writer is not None else next(filter(None, attributes), None)
    return (item.text or "") if item is not None else None, named


def _parse(packet: bytes | None) -> ET.Element | None:
    # XMP has no use for a document type, which is where XML hides its bombs and outside files.
    if packet is None or re.search(rb"<!(?:DOCTYPE|ENTITY)", packet, re.IGNORECASE):
        return None
    inner = re.sub(rb"<\?xpacket.*?\?>", b"", packet, flags=re.DOTALL).strip(b"\0 \t\r\n")
    try:
        # Decoded here, so that no other encoding hides a document type from the look above.
        return ET.fromstring(inner.decode("utf-8"))  # noqa: S314
    except (ET.ParseError, ValueError, LookupError):
        return None
