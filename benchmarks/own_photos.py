"""What a model loses on photos as people have them, against the squashed copies it learned from.

    python benchmarks/own_photos.py --model NAME --data FLICKR8K --photos FOLDER [--shrink SIDE]

FOLDER holds photos of the data set at their original size, under the same names.  Each is captioned
twice: as it is, and as the data set's small square copy; both captions are scored against the data
set's references.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.datasets import load
from captioning.images import read_image
from captioning.metrics import score_captions


def main() -> None:
    """Print BLEU-4 and CIDEr of both, and what is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--photos", required=True, type=Path)
    parser.add_argument("--beam-width", type=int, default=3)
    parser.add_argument(
        "--shrink", type=int, metavar="SIDE", help="also squash the originals to this side first"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    dataset = load(arguments.data)
    known = {photo.name: photo for photo in dataset.photos}
    names = sorted(path.name for path in arguments.photos.iterdir() if path.name in known)
    captioner = Captioner.load(arguments.model)
    decoding = DecodingConfig(beam_width=arguments.beam_width)
    result: dict[str, float] = {"photos": len(names)}

    def measure(which: str, photos: Iterable[Image.Image]) -> None:
        captions = [captioner.caption(photo, decoding).text for photo in photos]
        scores = score_captions(captions, [known[name].captions for name in names])
        result[f"{which}_bleu_4"] = round(scores.bleu_4, 2)
        result[f"{which}_cider"] = round(scores.cider, 2)

    originals = [read_image(arguments.photos / name) for name in names]
    measure("original", originals)
    measure("squashed", (read_image(dataset.path(known[name])) for name in names))
    if arguments.shrink:
        side = (arguments.shrink, arguments.shrink)
        for method in (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR):
            shrunk = (photo.resize(side, method) for photo in originals)
            measure(f"shrunk_{method.name.lower()}", shrunk)
    result["bleu_4_lost"] = round(result["squashed_bleu_4"] - result["original_bleu_4"], 2)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>22}  {value}")


if __name__ == "__main__":
    main()
