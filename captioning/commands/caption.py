"""`caption PHOTO...`: write a sentence about each photo."""

import argparse
import sys
from typing import Any

from captioning.commands.terminal import print_json, quietly
from captioning.errors import CaptioningError

__all__ = ["add_to"]


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("caption", help="write a sentence about each photo")
    parser.add_argument("photos", nargs="+", metavar="PHOTO")
    parser.add_argument("--model", help="a bundle's name or folder")
    parser.add_argument("--beam-width", type=int, metavar="K", help="1 is greedy search")
    parser.add_argument("--json", action="store_true", help="one JSON object a photo")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Caption the photos one after the other; a bad one does not stop the others."""
    from captioning.bundles import default_model
    from captioning.images import read_image

    with quietly():
        from captioning.captioner import Captioner
    captioner = Captioner.load(arguments.model or default_model())
    decoding = captioner.bundle.decoding
    if arguments.beam_width is not None:
        decoding = decoding.replace(strategy="beam", beam_width=arguments.beam_width)
    failed = False
    for photo in arguments.photos:
        try:
            caption = captioner.caption(read_image(photo), decoding)
        except CaptioningError as error:
            failed = True
            _tell_failure(photo, error, as_json=arguments.json)
            continue
        if arguments.json:
            print_json({"photo": photo, **caption.to_dict()})
        elif len(arguments.photos) == 1:
            print(caption.text)
        else:
            print(f"{photo}: {caption.text}", flush=True)
    return int(failed)


def _tell_failure(photo: str, error: CaptioningError, *, as_json: bool) -> None:
    if as_json:
        print_json({"photo": photo, "error": str(error)})
    else:
        print(error, file=sys.stderr)
