"""The command line: `python -m captioning COMMAND`, or `--help`."""

import argparse
import difflib
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from captioning import __version__, cli
from captioning.errors import CaptioningError
from captioning.plugins import load_plugins

# TensorFlow reads this when it is imported; it hides messages meant for developers.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class _Parser(argparse.ArgumentParser):
    """Suggests the nearest command or option for an unknown word."""

    def error(self, message: str) -> NoReturn:
        words = re.match(
            r"argument .*invalid choice: '([^']*)'|unrecognized arguments: (-\S+)", message
        )
        if words:
            word = (words[1] or words[2]).partition("=")[0]
            near = difflib.get_close_matches(word, sorted(_known_words(self)), n=1)
            if near:
                message += f"\nDid you mean {near[0]}?"
        super().error(message)


def _known_words(parser: argparse.ArgumentParser) -> set[str]:
    """Return the commands and options of a parser and its subparsers."""
    words = set(parser._option_string_actions)
    for action in parser._actions:
        words.update(str(choice) for choice in action.choices or ())
        if isinstance(action, argparse._SubParsersAction):
            words = words.union(*map(_known_words, action.choices.values()))
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 success, 1 failure, 2 usage error."""
    parser = _Parser(
        prog="python -m captioning", description="Caption photos with a CNN and an LSTM."
    )
    parser.add_argument("--version", action="version", version=f"captioning {__version__}")
    try:
        load_plugins()  # they add choices to the commands' options
    except CaptioningError as error:
        print(error, file=sys.stderr)
        return 1
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in cli.ALL:
        command.add_to(subparsers)
    given = sys.argv[1:] if arguments is None else list(arguments)
    parsed = parser.parse_args(given, argparse.Namespace(given=given))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name may contain unprintable characters
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(parsed.run(parsed))
    except CaptioningError as error:
        print(error, file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow"):
            raise
        print("This needs Keras. Install it: pip install 'captioning[train]'", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, or a folder that may not be written
        print(f"A file cannot be read or written: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
