"""Encoders as ONNX graphs, written from their arrays.

The graphs implement the networks of `captioning.encoders` a second time; parity tests compare the
two.
"""

from collections.abc import Mapping

import numpy as np

from captioning.config import EncoderConfig
from captioning.encoders import COMPACT_BLOCKS
from captioning.encoders.efficientnetlite2 import blocks
from captioning.inference.convolutions import Maps, Normalization, read_pixels, write_regions
from captioning.inference.graph import Graph


def compact_graph(config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write the compact encoder: `pixels` uint8 `(B, S, S, 3)` to `features` `(B, R, D)`."""
    maps = read_pixels(Graph("compact"), int(config.input_size or 224), scale=1 / 127.5, shift=-1.0)
    maps = maps.convolved(arrays["stem_conv/kernel"], _norm(arrays, "stem"), stride=2)
    for stage, repeats in enumerate(COMPACT_BLOCKS, start=1):
        # Small images keep at least 8x8 regions, as in `build_compact`.
        stride = 2 if maps.size > 8 else 1
        maps = _separable(maps, arrays, f"stage{stage}_down", stride)
        for block in range(1, repeats + 1):
            more = _separable(maps, arrays, f"stage{stage}_block{block}", 1)
            maps = maps.applied("Add", more)
    return write_regions(maps.applied("Relu"))


def lite2_graph(config: EncoderConfig, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write EfficientNet-Lite2: `pixels` uint8 `(B, S, S, 3)` to `features` `(B, R, 1280)`."""
    size = int(config.input_size or 224)
    maps = read_pixels(Graph("efficientnetlite2"), size, scale=1 / 128, shift=-127 / 128)

    def convolved(maps: Maps, name: str, *, stride: int = 1, depthwise: bool = False) -> Maps:
        # Stem and head have layer names, the parts of a block have names without a suffix.
        layer = f"{name}_conv" if name in ("stem", "head") else name
        kernel, norm = arrays[f"{layer}/kernel"], _norm(arrays, name)
        return maps.convolved(kernel, norm, stride=stride, depthwise=depthwise)

    def relu6(maps: Maps) -> Maps:
        return maps.applied("Clip", maps.graph.weight(0.0), maps.graph.weight(6.0))

    maps = relu6(convolved(maps, "stem", stride=2))
    for number, block in enumerate(blocks(), start=1):
        name, entering = f"block{number}", maps
        if block.expansion > 1:
            maps = relu6(convolved(maps, f"{name}_expand"))
        depthwise = convolved(maps, f"{name}_depthwise", stride=block.stride, depthwise=True)
        maps = convolved(relu6(depthwise), f"{name}_project")
        if block.stride == 1 and block.inputs == block.outputs:
            maps = maps.applied("Add", entering)
    return write_regions(relu6(convolved(maps, "head")))


def _separable(maps: Maps, arrays: Mapping[str, np.ndarray], name: str, stride: int) -> Maps:
    depthwise = arrays[f"{name}_depthwise/kernel"]
    maps = maps.applied("Relu").convolved(depthwise, stride=stride, depthwise=True)
    return maps.convolved(arrays[f"{name}_pointwise/kernel"], _norm(arrays, name))


def _norm(arrays: Mapping[str, np.ndarray], name: str) -> Normalization:
    return Normalization.of(lambda row: arrays[f"{name}_norm/{row}"])
