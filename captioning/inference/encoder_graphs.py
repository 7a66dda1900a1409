"""The project's own encoder as an ONNX graph, made from its arrays.

The graph writes the network of `captioning.encoders.compact` a second time; parity tests hold the
two together.
"""

from collections.abc import Mapping

import numpy as np

from captioning.config import EncoderConfig
from captioning.encoders import COMPACT_BLOCKS
from captioning.inference.convolutions import Maps, Normalization, read_pixels, write_regions
from captioning.inference.graph import Graph

__all__ = ["compact_graph"]


def compact_graph(config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write the compact encoder: `pixels` uint8 `(B, S, S, 3)` to `features` `(B, R, D)`."""
    maps = read_pixels(Graph("compact"), int(config.input_size or 224), scale=1 / 127.5, shift=-1.0)
    maps = maps.convolved(arrays["stem_conv/kernel"], _norm(arrays, "stem"), stride=2)
    for stage, blocks in enumerate(COMPACT_BLOCKS, start=1):
        # Small pictures keep 8x8 regions and more, as in `build_compact`.
        stride = 2 if maps.size > 8 else 1
        maps = _separable(maps, arrays, f"stage{stage}_down", stride)
        for block in range(1, blocks + 1):
            more = _separable(maps, arrays, f"stage{stage}_block{block}", 1)
            maps = maps.applied("Add", more)
    return write_regions(maps.applied("Relu"))


def _separable(maps: Maps, arrays: Mapping[str, np.ndarray], name: str, stride: int) -> Maps:
    depthwise = arrays[f"{name}_depthwise/kernel"]
    maps = maps.applied("Relu").convolved(depthwise, stride=stride, depthwise=True)
    return maps.convolved(arrays[f"{name}_pointwise/kernel"], _norm(arrays, name))


def _norm(arrays: Mapping[str, np.ndarray], name: str) -> Normalization:
    return Normalization.of(lambda row: arrays[f"{name}_norm/{row}"])
