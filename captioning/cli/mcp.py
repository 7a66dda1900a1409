"""`mcp`: offer captions to agents over standard input and output (Model Context Protocol)."""

import argparse
import base64
import binascii
import functools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from captioning import __version__
from captioning.cli.find import encode_album
from captioning.errors import CaptioningError, ConfigError, ImageError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from captioning.batch import AlbumPhoto
    from captioning.captioner import Captioner
    from captioning.retrieval import EncodedPhotos

MOST_PHOTOS = 500
"""Of a folder that is searched or described in one call; their features take 120 MB."""


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("mcp", help="offer captions to agents over stdio (MCP)")
    parser.add_argument(
        "folders",
        nargs="*",
        default=["."],
        metavar="FOLDER",
        help="agents may read photos below these folders; default: the current folder",
    )
    parser.add_argument("--model", help="name or folder of a model")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until standard input ends.

    Raises:
        ConfigError: the package `mcp` is missing, or a folder does not exist.
        BundleError: there is no such model.
    """
    from captioning.bundle import default_model, read_bundle

    model = arguments.model or default_model()
    read_bundle(model)  # reported before an agent asks
    tools = PhotoTools(arguments.folders, model)
    make_server(tools).run("stdio")
    return 0


def make_server(tools: "PhotoTools") -> "MCPServer[Any]":
    """Make an MCP server that offers the tools.

    Raises:
        ConfigError: the package `mcp` is missing.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mcp":
            raise
        raise ConfigError(
            "This needs the package mcp. Install it: pip install 'captioning[mcp]'"
        ) from error

    def with_error_text(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        """Pass the text of an error on to the agent."""

        @functools.wraps(tool)
        def call(*arguments: Any, **options: Any) -> dict[str, Any]:
            try:
                return tool(*arguments, **options)
            except CaptioningError as error:
                raise ToolError(str(error)) from error

        return call

    server = MCPServer("captioning", version=__version__, log_level="WARNING")
    for tool in (tools.caption, tools.find, tools.describe_folder):
        server.tool()(with_error_text(tool))
    return server


class PhotoTools:
    """What agents may ask for.

    Args:
        folders: photos are read below these alone; a relative path starts at the first.
        model: name or folder of the model; it is loaded when it is first needed.

    Raises:
        ConfigError: a folder does not exist.
    """

    def __init__(self, folders: Sequence[str | Path], model: str) -> None:
        for folder in folders:
            if not Path(folder).is_dir():
                raise ConfigError(f"There is no folder {str(folder)!r}.")
        self._folders = [Path(folder).resolve() for folder in folders]
        self._model = model
        self._lock = Lock()
        self._loaded: Captioner | None = None
        self._encoded: tuple[Any, EncodedPhotos] | None = None

    def caption(self, path: str = "", image_base64: str = "") -> dict[str, Any]:
        """Write a sentence about a photo.

        Give either `path`, a photo file below the allowed folders, or `image_base64`, the content
        of a photo file. The answer has `sentence`, how sure the model is (`confidence` from 0 to 1,
        `level`), and `doubtful`: if that is true, tell the user that the sentence may be wrong.
        """
        from captioning.images import read_image, read_photo_file

        if bool(path) == bool(image_base64):
            raise ImageError("Give either path or image_base64.")
        data = read_photo_file(self._allowed(path)) if path else _decoded(image_base64)
        picture = read_image(data, name=Path(path).name if path else None)
        caption = self._captioner().caption(picture)
        return {**caption.to_dict(), "sentence": caption.sentence, "doubtful": caption.doubtful}

    def find(self, words: str, folder: str = ".", count: int = 10) -> dict[str, Any]:
        """Find the photos of a folder that best match a sentence such as "a dog on a beach".

        The answer lists up to `count` photos, the best first, as paths below the folder. `gain`
        says how much likelier the photo makes the words than the other photos do (natural logarithm
        of a factor); a photo with a gain near or below 0 does not match.
        """
        from captioning.retrieval import read_sentence

        captioner, album = self._captioner(), self._album(folder)
        with self._lock:
            encoded = self._encode(captioner, folder, album)
        hits = read_sentence(captioner, encoded, words).best(max(count, 1))
        listed = [{"photo": encoded.names[hit.place], "gain": hit.gain} for hit in hits]
        return {"searched": len(encoded), "photos": listed}

    def describe_folder(self, folder: str = ".", count: int = 50) -> dict[str, Any]:
        """Write a sentence about each photo of a folder and the folders in it.

        The answer says how many photos there are and describes the first `count` of them by name.
        Where `doubtful` is true, tell the user that the sentence may be wrong. A photo that cannot
        be read has the reason in `error`.
        """
        from captioning.batch import caption_album

        captioner, album = self._captioner(), self._album(folder)
        rows = caption_album(captioner, album[: max(count, 1)])
        listed = [{**row.to_dict(), "doubtful": row.doubtful} for row in rows]
        return {"photos": len(album), "described": listed}

    def _captioner(self) -> "Captioner":
        from captioning.captioner import Captioner

        with self._lock:
            if self._loaded is None:
                self._loaded = Captioner.load(self._model)
            return self._loaded

    def _allowed(self, path: str) -> Path:
        """Return where a path leads, links followed.

        Raises:
            ImageError: that is outside the allowed folders.
        """
        try:
            found = (self._folders[0] / path).resolve()
            inside = any(found.is_relative_to(folder) for folder in self._folders)
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            allowed = ", ".join(map(str, self._folders))
            raise ImageError(f"{path!r} is outside the folders that may be read: {allowed}.")
        return found

    def _album(self, folder: str) -> "list[AlbumPhoto]":
        """List a folder's photos; links that lead outside the allowed folders are left out.

        Raises:
            ImageError: there is no such folder, or it has no photo or too many.
        """
        from captioning.batch import AlbumPhoto, photo_names, printable
        from captioning.images import read_photo_file

        place, album = self._allowed(folder), []
        if not place.is_dir():
            raise ImageError(f"There is no folder {folder!r}.")
        for name in photo_names(place):
            try:
                path = self._allowed(str(place / name))
            except ImageError:
                continue
            album.append(AlbumPhoto(printable(name), partial(read_photo_file, path)))
        if not album:
            raise ImageError(f"There are no photos in {folder!r}.")
        if len(album) > MOST_PHOTOS:
            raise ImageError(
                f"There are {len(album):,} photos in {folder!r}, more than the {MOST_PHOTOS} of "
                "one call. Name a folder in it."
            )
        return album

    def _encode(
        self, captioner: "Captioner", folder: str, album: "list[AlbumPhoto]"
    ) -> "EncodedPhotos":
        """Encode an album, or return what was encoded of the same files in the last call."""
        place = self._allowed(folder)
        key = (place, *((photo.name, _changed(place / photo.name)) for photo in album))
        if self._encoded is None or self._encoded[0] != key:
            self._encoded = None  # not both at once in memory
            self._encoded = (key, encode_album(captioner, album))
        return self._encoded[1]


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _decoded(text: str) -> bytes:
    """Decode base64, also that of a data URL.

    Raises:
        ImageError: it is something else, or too long.
    """
    from captioning.images import MAX_BYTES

    if len(text) > 1.4 * MAX_BYTES:
        raise ImageError(f"image_base64 is longer than the {MAX_BYTES / 1e6:.0f} MB accepted.")
    content = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"image_base64 is not base64 ({error}).") from error
