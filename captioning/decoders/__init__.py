"""Decoders: from an encoder's features to the probabilities of the next word.

There are three kinds with one interface (`Decoder`): `merge` adds the photo after the recurrent
cell, `inject` makes it the cell's initial state, and `attention` attends to the photo's regions for
every word.  The recurrent cell is a separate setting; `captioning.cells` lists the cells.

Reading the registry is cheap; Keras is imported when a decoder is first used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from captioning.config import DECODER_KINDS, DecoderConfig
from captioning.errors import ConfigError

if TYPE_CHECKING:
    from captioning.decoders.kinds import (
        AttentionDecoder,
        Decoder,
        FeatureShape,
        InjectDecoder,
        MergeDecoder,
    )

__all__ = [
    "DECODERS",
    "AttentionDecoder",
    "Decoder",
    "DecoderSpec",
    "InjectDecoder",
    "MergeDecoder",
    "build_decoder",
    "register_decoder",
]

_NETWORKS = ("AttentionDecoder", "Decoder", "InjectDecoder", "MergeDecoder")


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


def build_decoder(
    config: DecoderConfig, *, vocabulary_size: int, feature_shape: "FeatureShape"
) -> "Decoder":
    """Build the decoder that `config.kind` and `config.cell` name, with initial weights.

    Args:
        config: kind, cell and sizes.
        vocabulary_size: number of words, including special tokens.
        feature_shape: `(R, D)` for a map of regions, `(D,)` for pooled features.

    Raises:
        ConfigError: the kind is `attention`, but the features are pooled and have no regions.
    """
    network = DECODERS[config.kind].network
    make = resolve_name(network) if isinstance(network, str) else network
    decoder: Decoder = make(config, vocabulary_size=vocabulary_size, feature_shape=feature_shape)
    decoder.build_all()
    return decoder


def __getattr__(name: str) -> Any:
    """Import the networks, which need Keras, on first access (PEP 562)."""
    if name in _NETWORKS:
        return resolve_name(f"captioning.decoders.kinds:{name}")
    raise AttributeError(f"module 'captioning.decoders' has no attribute {name!r}")
