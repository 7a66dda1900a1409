"""What eight bits change: captions and time of a model with a quantised encoder.

    CAPTIONING_WEIGHTS=DIR python benchmarks/quantization.py FLICKR8K [--model NAME] [--photos 300]

The convolutions of the encoder's graph are quantised (weights per channel, activations per tensor,
with the ranges of some training photos), and dev photos are captioned with both graphs in turn.
bfloat16 is not compared: ONNX Runtime has no bfloat16 convolutions on CPUs.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from captioning.bundle import default_model  # noqa: E402
from captioning.captioner import Captioner  # noqa: E402
from captioning.datasets import CaptionDataset, load  # noqa: E402
from captioning.encoders import PhotoEncoder  # noqa: E402
from captioning.images import read_image  # noqa: E402
from captioning.inference.onnx_networks import (  # noqa: E402
    THREADS,
    OnnxEncoder,
    open_session,
)

SAME = 0.98
"""Smallest share of unchanged captions with which a quantised graph could be the default."""


class Photos(CalibrationDataReader):
    """Batches of pixels that show which values occur."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._batches: Iterator[np.ndarray] = iter(np.array_split(pixels, len(pixels) // 8 or 1))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, uint8 `(B, S, S, 3)`, or nothing at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


def main() -> None:
    """Quantise, caption with both graphs, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="FLICKR8K")
    parser.add_argument("--model", default=default_model())
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--ranges", type=int, default=128, help="photos that give the ranges")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CAPTIONING_DATA"] = folder
        captioner = Captioner.load(options.model)
        dataset = load(options.data)
        learned = _pixels(captioner.encoder, dataset, "train", options.ranges)
        photos = _pixels(captioner.encoder, dataset, "dev", options.photos)
        captioner.encoder.encode(photos[:1])  # writes the graph, if it is missing
        (graph,) = Path(folder, "cache", "graphs").glob("*-encoder.onnx")
        quantised = _quantised(graph, learned)
        print(f"graph: {graph.stat().st_size:,} bytes, quantised {quantised.stat().st_size:,}")
        encoders = {
            name: OnnxEncoder(captioner.encoder.config, open_session(path, threads=THREADS))
            for name, path in {"float": graph, "int8": quantised}.items()
        }
        _compare(captioner, encoders, photos)


def _pixels(encoder: PhotoEncoder, dataset: CaptionDataset, split: str, count: int) -> np.ndarray:
    photos = dataset.split(split)[:count]
    return np.stack([encoder.pixels(read_image(dataset.path(photo))) for photo in photos])


def _quantised(graph: Path, pixels: np.ndarray) -> Path:
    """Write the graph with quantised convolutions; returns its path."""
    # Weights are stored as float16 and cast; a quantiser only sees weights without the cast.
    folded, target = graph.with_suffix(".folded"), graph.with_suffix(".int8")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    quantize_static(
        str(folded),
        str(target),
        Photos(pixels),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # without VNNI, products of 8 bits overflow 16
    )
    return target


def _compare(captioner: Captioner, encoders: dict[str, OnnxEncoder], photos: np.ndarray) -> None:
    seconds = dict.fromkeys(encoders, 0.0)
    features: dict[str, list[np.ndarray]] = {name: [] for name in encoders}
    for photo in photos:
        for name, encoder in encoders.items():
            begun = time.process_time()
            features[name].append(encoder.encode(photo[None])[0])
            seconds[name] += time.process_time() - begun
    captions = {
        name: [caption.text for caption in captioner.describe(np.stack(found))]
        for name, found in features.items()
    }
    same = np.mean([one == other for one, other in zip(*captions.values(), strict=True)])
    ratio = seconds["int8"] / seconds["float"]
    each = ", ".join(f"{name} {1000 * s / len(photos):.0f} ms" for name, s in seconds.items())
    print(f"CPU time of the encoder per photo: {each} (ratio {ratio:.2f})")
    verdict = "enough" if same >= SAME else f"fewer than {SAME:.0%}"
    print(f"unchanged captions: {same:.1%} of {len(photos)} ({verdict})")


if __name__ == "__main__":
    main()
