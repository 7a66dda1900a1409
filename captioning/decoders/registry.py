"""Which kinds of decoder there are: their classes, and what pages and lessons say of them.

A kind says where the photo enters; the recurrent cell is a setting of its own.  Nothing here
imports Keras, so pages can list decoders at no cost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from captioning.config import DECODER_KINDS
from captioning.errors import ConfigError

__all__ = ["DECODERS", "DecoderSpec", "decoder_class", "register_decoder"]


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """One kind of decoder.

    Attributes:
        network: its class, a `captioning.decoders.Decoder`, or the address of it
            ("package.module:Class").
        summary: where the photo enters, in one or two sentences.
        cell_note: what its recurrent cell reads and begins with, in a sentence.
        memory: what it keeps of a photo: the name in its memory, the lesson that explains it, and a
            sentence.
        without_attention: continues "it has no attention: ..."; empty for a kind that attends.
        diagram: how word and photo reach the next word, as edges in the language of Graphviz
            between `word`, `photo`, `cell`, `next` and nodes that it declares itself.
    """

    network: str | Callable[..., Any]
    summary: str
    cell_note: str = ""
    memory: tuple[str, str, str] | None = None
    without_attention: str = ""
    diagram: str = "word -> cell -> next; photo -> cell"


DECODERS: dict[str, DecoderSpec] = {
    "merge": DecoderSpec(
        network="captioning.decoders.merge:MergeDecoder",
        summary="The LSTM reads words alone. One vector of the whole photo is added after it.",
        cell_note="The photo is kept out of this LSTM: it reads words alone, and the photo is "
        "added to what it shows.",
        memory=("photo", "attention", "The photo, added to what the LSTM says."),
        without_attention="it makes one vector of the whole photo and adds it to what the LSTM "
        "shows, the same for every word",
        diagram='add [label="add and mix"] word -> cell -> add -> next; photo -> add',
    ),
    "inject": DecoderSpec(
        network="captioning.decoders.inject:InjectDecoder",
        summary="One vector of the whole photo is the LSTM's first memory. It is seen once.",
        cell_note="This LSTM begins with the photo in its memory and reads words alone from there "
        "on.",
        memory=("hidden", "lstm", "The photo as the first state of the LSTM."),
        without_attention="it puts one vector of the whole photo into the LSTM's memory before the "
        "first word, and never looks again",
        diagram='word -> cell -> next; photo -> cell [label="once"]',
    ),
    "attention": DecoderSpec(
        network="captioning.decoders.attention:AttentionDecoder",
        summary="The regions are looked at anew for every word, after the LSTM.",
        cell_note="This LSTM begins with the photo in its memory, and beside each word it reads "
        "the mean of the photo's regions.",
        memory=("keys", "attention", "What each region answers to when the LSTM asks."),
        diagram='look [label="attention"] word -> cell -> look -> next; '
        'photo -> look [label="each word"]',
    ),
}
"""All kinds by name; `register_decoder` adds to them."""


def register_decoder(kind: str, spec: DecoderSpec) -> None:
    """Add a kind of decoder, so that settings, commands and pages offer it from now on.

    Raises:
        ConfigError: there is a decoder of that kind.
    """
    if kind in DECODERS:
        raise ConfigError(f"There is a decoder '{kind}' already. Choose another name.")
    DECODERS[kind] = spec
    DECODER_KINDS.append(kind)


def decoder_class(kind: str) -> Any:
    """Return the class of a kind of decoder; imports Keras."""
    network = DECODERS[kind].network
    return resolve_name(network) if isinstance(network, str) else network
