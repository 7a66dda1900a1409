"""Measure the loss of a model on original photos, compared with squashed training copies.

    python benchmarks/own_photos.py --model NAME --data FLICKR8K --photos FOLDER [--photo-size SIDE]

FOLDER holds photos of the data set at their original size, under the same names.  Each is captioned
twice: unchanged, and as the data set's small square copy; both captions are scored against the data
set's references.  Scores of a few captions are noisy, so two distances are printed too: between the
features of the two (length of the difference over length of the copy's features), and between the
pixels that the encoder reads.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.datasets import load
from captioning.images import read_image
from captioning.metrics import score_captions


def main() -> None:
    """Print BLEU-4, CIDEr and the median milliseconds per caption of both, and the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--photos", required=True, type=Path)
    parser.add_argument("--beam-width", type=int, default=3)
    parser.add_argument(
        "--photo-size",
        type=int,
        metavar="SIDE",
        help="make photos JPEGs of this side first, 0 leaves them; by default what the model says",
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    dataset = load(arguments.data)
    known = {photo.name: photo for photo in dataset.photos if photo.captions}
    names = sorted(p.name for p in arguments.photos.iterdir() if p.name in known)
    captioner = Captioner.load(arguments.model)
    encoder = captioner.encoder
    if arguments.photo_size is not None:
        encoder.config = encoder.config.replace(photo_size=arguments.photo_size)
    decoding = DecodingConfig(beam_width=arguments.beam_width)
    references = [known[name].captions for name in names]
    originals = [read_image(arguments.photos / name) for name in names]
    copies = [read_image(dataset.path(known[name])) for name in names]
    result: dict[str, float] = {"photos": len(names), "photo_size": encoder.config.photo_size or 0}
    for which, photos in {"original": originals, "squashed": copies}.items():
        found = [captioner.caption(photo, decoding) for photo in photos]
        scores = score_captions([caption.text for caption in found], references)
        result[f"{which}_ms"] = round(1000 * statistics.median(c.seconds for c in found), 1)
        result[f"{which}_bleu_4"] = round(scores.bleu_4, 2)
        result[f"{which}_cider"] = round(scores.cider, 2)
    result["bleu_4_lost"] = round(result["squashed_bleu_4"] - result["original_bleu_4"], 2)
    result["pixel_difference"] = round(_difference(captioner, originals, copies), 1)
    result["feature_distance"] = round(_distance(captioner, originals, copies), 3)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>16}  {value}")


def _difference(
    captioner: Captioner, originals: Sequence[Image.Image], copies: Sequence[Image.Image]
) -> float:
    """Return the mean squared difference of the pixels, 0 to 255, that the encoder reads."""
    read = captioner.encoder.pixels
    pairs = ((read(a), read(b)) for a, b in zip(originals, copies, strict=True))
    return float(np.mean([(ours.astype(float) - theirs) ** 2 for ours, theirs in pairs]))


def _distance(
    captioner: Captioner, originals: Sequence[Image.Image], copies: Sequence[Image.Image]
) -> float:
    """Return the mean relative distance between the features of photos and of their copies."""
    shares = []
    for pair in zip(originals, copies, strict=True):
        ours, theirs = captioner.encode(list(pair))
        shares.append(float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)))
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
