"""`caption PHOTO...`: print a caption for each photo, or write the captions to a file."""

import argparse
import sys
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioning.cli import caption_library, cluster
from captioning.cli.terminal import clock, print_json, progress_line, quietly
from captioning.config import DecodingConfig
from captioning.errors import ImageError
from captioning.image_formats import has_photo_ending

if TYPE_CHECKING:
    from captioning.batch import AlbumPhoto
    from captioning.captioner import Captioner


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("caption", help="write a caption for each photo")
    parser.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="a photo, a folder, a zip, or - for standard input",
    )
    parser.add_argument("--model", help="name or folder of a model")
    parser.add_argument(
        "--out",
        metavar="CSV",
        help="write one row per photo; a repeated command adds only the missing rows; "
        "with --engine ray, the folder for the results",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    caption_library.add_options(parser)
    cluster.add_options(parser)
    steering = parser.add_argument_group("decoding")
    steering.add_argument("--beam-width", type=int, metavar="K", help="1 means greedy search")
    steering.add_argument(
        "--length-penalty", type=float, metavar="P", help="above 0 favours longer captions"
    )
    steering.add_argument("--begin", metavar="WORDS", help="words the caption starts with")
    steering.add_argument("--must", nargs="+", metavar="WORD", help="words that must occur")
    steering.add_argument("--without", nargs="+", metavar="WORD", help="words that must not occur")
    steering.add_argument(
        "--no-repeat", type=int, metavar="N", help="no sequence of N words occurs twice"
    )
    steering.add_argument("--sample", action="store_true", help="sample the words at random")
    steering.add_argument(
        "--seed", type=int, metavar="S", help="random seed, to get the same caption again"
    )
    steering.add_argument(
        "--temperature", type=float, metavar="T", help="below 1 prefers more likely words"
    )
    steering.add_argument(
        "--top-k", type=int, metavar="K", help="sample from the K most likely words"
    )
    steering.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="sample from the most likely words with total probability P",
    )
    steering.add_argument(
        "--gender-certainty",
        type=float,
        metavar="P",
        help="write person, people or child where the model is less certain than P of man, woman, "
        "boy or girl; 0.9 by default, 0 keeps its words",
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Caption the photos one by one; a bad photo does not stop the others."""
    _take_photos_from_words(arguments)
    caption_library.check_options(arguments)
    cluster.check_options(arguments, arguments.photos)
    if arguments.engine == "ray":
        return cluster.caption(arguments, _decoding(arguments))
    if arguments.write:
        return caption_library.run(arguments, lambda: _load(arguments))
    album = _album(arguments.photos)
    if not arguments.json and not any(s == "-" or Path(s).exists() for s in arguments.photos):
        raise ImageError(f"There is no file or folder '{arguments.photos[0]}'.")
    captioner, decoding = _load(arguments)
    if arguments.out:
        return _write_rows(captioner, album, decoding, arguments.out, as_json=arguments.json)
    failed = False
    for photo in album:
        try:
            _print_caption(captioner, photo, decoding, arguments.json, alone=len(album) == 1)
        except ImageError as error:
            failed = True
            if arguments.json:
                print_json({"photo": photo.name, "error": str(error)})
            else:
                print(error, file=sys.stderr)
    return int(failed)


def _load(arguments: argparse.Namespace) -> "tuple[Captioner, DecodingConfig]":
    """Load the model; what is wrong with the options is reported before that."""
    from captioning.bundle import default_model

    decoding = _decoding(arguments)
    with quietly():
        from captioning.captioner import Captioner
    return Captioner.load(arguments.model or default_model()), decoding


def _take_photos_from_words(arguments: argparse.Namespace) -> None:
    """Recover photos that argparse assigned to an option, as in `--must dog PHOTO`."""
    for words in (arguments.without or [], arguments.must or []):
        while len(words) > 1 and _is_photo(words[-1], alone=not arguments.photos):
            arguments.photos.insert(0, words.pop())
    if not arguments.photos:
        arguments.parser.error("the following arguments are required: PHOTO")


def _is_photo(word: str, *, alone: bool) -> bool:
    if word == "-" or has_photo_ending(word) or word.lower().endswith(".zip"):
        return True
    return alone and Path(word).is_dir()


def _album(sources: list[str]) -> "list[AlbumPhoto]":
    """List all photos; for a single folder or zip, by their names inside it."""
    from captioning.batch import AlbumPhoto, open_album, printable
    from captioning.images import MAX_BYTES, read_photo_file

    if len(sources) == 1 and _holds_photos(sources[0]):
        album = open_album(sources[0])
        if not album:
            raise ImageError(f"There are no photos in '{sources[0]}'.")
        return album
    album = []
    for source in sources:
        if source == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
            album.append(AlbumPhoto("-", partial(bytes, data)))
        elif _holds_photos(source):
            inside = open_album(source)
            album += [
                AlbumPhoto(printable(f"{source.rstrip('/')}/{p.name}"), p.read) for p in inside
            ]
        else:
            read = partial(read_photo_file, Path(source))
            album.append(AlbumPhoto(printable(source), read))
    return album


def _holds_photos(source: str) -> bool:
    return Path(source).is_dir() or zipfile.is_zipfile(source)


def _decoding(arguments: argparse.Namespace) -> DecodingConfig:
    """Apply the options to the model's; sampling rejects those that only beam search supports."""
    from captioning.bundle import default_model, read_bundle

    changes = {
        "beam_width": arguments.beam_width,
        "length_penalty": arguments.length_penalty,
        "prefix": (arguments.begin,) if arguments.begin else None,
        "required_words": arguments.must,
        "banned_words": arguments.without,
        "no_repeat": arguments.no_repeat,
        "gender_certainty": arguments.gender_certainty,
        "seed": arguments.seed,
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
    }
    asked = {name: value for name, value in changes.items() if value is not None}
    if arguments.sample:
        asked["strategy"] = "sample"
    elif arguments.beam_width is not None or arguments.must:
        asked["strategy"] = "beam"
    usual = read_bundle(arguments.model or default_model()).decoding
    return usual.replace(**asked)


def _write_rows(
    captioner: "Captioner",
    album: "list[AlbumPhoto]",
    decoding: DecodingConfig,
    out: str,
    *,
    as_json: bool,
) -> int:
    from captioning.batch import Journal, caption_album

    journal = Journal(out, by=captioner.name)
    total, before = len(album), sum(photo.name in journal.rows for photo in album)
    begun, failed = time.monotonic(), 0
    rows = caption_album(captioner, album, decoding, done=set(journal.rows))
    for number, row in enumerate(rows, 1):
        journal.add(row)
        if as_json:
            print_json(row.to_dict())
        if row.error:
            failed += 1
            print(row.error, file=sys.stderr)
        rate = number / max(time.monotonic() - begun, 1e-9)
        left = clock((total - before - number) / rate)
        progress_line(f"{before + number}/{total} photos, {rate:.1f}/s, {left} left")
    summary = f"{total - failed} of {total} photos have a caption in {out}"
    progress_line(summary + (f"; {before} had one before" if before else ""), done=True)
    return int(failed > 0)


def _print_caption(
    captioner: "Captioner",
    photo: "AlbumPhoto",
    decoding: DecodingConfig,
    as_json: bool,
    *,
    alone: bool,
) -> None:
    from captioning.images import read_image

    caption = captioner.caption(read_image(photo.read(), name=Path(photo.name).name), decoding)
    if as_json:
        print_json({"photo": photo.name, **caption.to_dict()})
    else:
        written = f"Not sure: {caption.sentence}" if caption.doubtful else caption.sentence
        print(written if alone else f"{photo.name}: {written}", flush=True)
