"""The registry of decoders: their classes, and their descriptions for pages and lessons.

A kind defines where the photo enters; the recurrent cell is a separate setting.  This module does
not import Keras, so pages can list decoders quickly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from captioning.config import DECODER_KINDS
from captioning.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """One kind of decoder.

    Attributes:
        network: its class, a `captioning.decoders.Decoder`, or the address of the class
            ("package.module:Class").
        summary: where the photo enters, in one or two sentences.
        cell_note: the inputs and the initial state of its recurrent cell, in a sentence.
        memory: its representation of a photo: the name in its memory, the lesson that explains it,
            and a sentence.
        without_attention: continues "it has no attention: ..."; empty for a kind with attention.
        diagram: how word and photo reach the next word, as Graphviz edges between `word`, `photo`,
            `cell`, `next` and nodes that it declares itself.
    """

    network: str | Callable[..., Any]
    summary: str
    cell_note: str = ""
    memory: tuple[str, str, str] | None = None
    without_attention: str = ""
    diagram: str = "word -> cell -> next; photo -> cell"


DECODERS: dict[str, DecoderSpec] = {
    "merge": DecoderSpec(
        network="captioning.decoders.kinds:MergeDecoder",
        summary="The LSTM reads only words. One vector of the whole photo is added after it.",
        cell_note="This LSTM never sees the photo: it reads only words, and the photo is added to "
        "its output.",
        memory=("photo", "attention", "The photo, added to the output of the LSTM."),
        without_attention="it adds one vector of the whole photo to the output of the LSTM, the "
        "same for every word",
        diagram='add [label="add, dense"] word -> cell -> add -> next; photo -> add',
    ),
    "inject": DecoderSpec(
        network="captioning.decoders.kinds:InjectDecoder",
        summary="One vector of the whole photo is the LSTM's initial state. It is read once.",
        cell_note="This LSTM starts with the photo as its state and reads only words from there "
        "on.",
        memory=("hidden", "lstm", "The photo as the initial state of the LSTM."),
        without_attention="it puts one vector of the whole photo into the LSTM's state before the "
        "first word, and never looks at it again",
        diagram='word -> cell -> next; photo -> cell [label="once"]',
    ),
    "attention": DecoderSpec(
        network="captioning.decoders.kinds:AttentionDecoder",
        summary="After the LSTM, attention looks at all regions again for every word.",
        cell_note="This LSTM starts with the photo as its state, and with each word it also reads "
        "the mean of the photo's regions.",
        memory=("keys", "attention", "The key of each region, compared with the LSTM's query."),
        diagram='look [label="attention"] word -> cell -> look -> next; '
        'photo -> look [label="each word"]',
    ),
}
"""All kinds by name; `register_decoder` adds to them."""


def register_decoder(kind: str, spec: DecoderSpec) -> None:
    """Register a kind of decoder, so that settings, commands and pages offer it.

    Raises:
        ConfigError: the name is already used.
    """
    if kind in DECODERS:
        raise ConfigError(f"There is already a decoder '{kind}'. Choose another name.")
    DECODERS[kind] = spec
    DECODER_KINDS.append(kind)


def decoder_class(kind: str) -> Any:
    """Return the class of a kind of decoder; imports Keras."""
    network = DECODERS[kind].network
    return resolve_name(network) if isinstance(network, str) else network
