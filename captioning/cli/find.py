"""`find SENTENCE FOLDER`: find the photos that best match a sentence."""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from captioning.cli.terminal import print_json, progress_line, quietly
from captioning.errors import ImageError, QueryError
from captioning.text import tokenize

if TYPE_CHECKING:
    import numpy as np

    from captioning.batch import AlbumPhoto
    from captioning.captioner import Captioner
    from captioning.retrieval import EncodedPhotos

_BATCH = 16


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("find", help="find the photos that best match a sentence")
    parser.add_argument("sentence", metavar="SENTENCE", help='such as "a dog on a beach"')
    parser.add_argument("photos", metavar="FOLDER", help="a folder or zip file of photos")
    parser.add_argument("--model", help="name or folder of a model")
    parser.add_argument(
        "--count", type=int, default=10, metavar="N", help="number of photos to show"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the best matches, each with the factor by which it raises a word's probability."""
    from captioning.batch import open_album
    from captioning.bundle import default_model, read_bundle

    model = arguments.model or default_model()
    vocabulary = read_bundle(model).vocabulary
    words = tokenize(arguments.sentence)
    unknown = [word for word in words if word not in vocabulary]
    if len(unknown) == len(words):  # report it before importing Keras
        raise QueryError(f"The model {model} knows no word of {arguments.sentence!r}.")
    if unknown:
        print(f"The model does not know: {', '.join(unknown)}.", file=sys.stderr)
    album = open_album(arguments.photos)
    if not album:
        raise ImageError(f"There are no photos in '{arguments.photos}'.")
    with quietly():
        from captioning.captioner import Captioner
    captioner = Captioner.load(model)
    encoded = encode_album(captioner, album)
    if not len(encoded):
        return 1
    from captioning.retrieval import read_sentence

    for hit in read_sentence(captioner, encoded, arguments.sentence).best(arguments.count):
        name = encoded.names[hit.place]
        if arguments.json:
            print_json({"photo": name, "gain": hit.gain, "log_prob": hit.log_prob})
        else:
            print(f"{math.exp(hit.gain):6.1f}x  {name}")
    return 0


def encoded_batches(
    captioner: "Captioner", album: "Sequence[AlbumPhoto]"
) -> "Iterator[tuple[list[str], np.ndarray]]":
    """Yield names and features of the readable photos, a batch at a time; report the others."""
    import numpy as np

    from captioning.images import read_image

    for start in range(0, len(album), _BATCH):
        names, squares = [], []
        for photo in album[start : start + _BATCH]:
            try:
                squares.append(captioner.encoder.pixels(read_image(photo.read(), name=photo.name)))
            except ImageError as error:
                print(error, file=sys.stderr)
            else:
                names.append(photo.name)
        if names:
            yield names, captioner.encode_squares(np.stack(squares))
        done = min(start + _BATCH, len(album))
        progress_line(f"{done:,} of {len(album):,} photos read", done=done == len(album))


def encode_album(captioner: "Captioner", album: "Sequence[AlbumPhoto]") -> "EncodedPhotos":
    """Encode the readable photos and report the others."""
    import numpy as np

    from captioning.retrieval import EncodedPhotos

    names: list[str] = []
    parts = []
    for some, features in encoded_batches(captioner, album):
        names.extend(some)
        parts.append(features)
    return EncodedPhotos.in_memory(names, np.concatenate(parts) if parts else np.zeros((0, 1)))
