"""`class`: serve the app on the local network, with an address, a QR code and a teacher's key."""

import argparse
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from captioning import classroom
from captioning.errors import DatasetError
from captioning.storage import app_file


def add_to(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("class", help="serve the app to a class on the local network")
    parser.add_argument("--port", type=int, default=8501, help="default: 8501")
    parser.add_argument("--key", help="the teacher's key; by default a new random one")
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder in which the teacher may choose data sets; may be repeated",
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name or address of this machine; may be repeated",
    )
    parser.add_argument(
        "--api",
        action="store_true",
        help="also answer HTTP requests with captions, for everybody who can reach the address",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the address for visitors and the teacher's key, and serve until Ctrl+C.

    Raises:
        DatasetError: a root is not a folder.
    """
    for root in arguments.root:
        if not Path(root).is_dir():
            raise DatasetError(f"There is no folder {root}.")
    local = classroom.local_address()
    key = arguments.key or classroom.new_key()
    address = f"http://{arguments.host[0] if arguments.host else local}:{arguments.port}"
    print(invitation(address))
    print(f"Teacher's key, for the sidebar of your own browser: {key}", flush=True)
    environment = os.environ | {
        classroom.ADDRESS_VARIABLE: address,
        classroom.API_VARIABLE: "1" if arguments.api else "0",
        classroom.KEY_VARIABLE: key,
        classroom.ROOTS_VARIABLE: os.pathsep.join(str(Path(r).resolve()) for r in arguments.root),
    }
    command = server_command(arguments.port, ["localhost", "127.0.0.1", local, *arguments.host])
    return subprocess.run(command, cwd=app_file().parent, env=environment).returncode  # noqa: S603


def server_command(port: int, hosts: list[str]) -> list[str]:
    """Return the command of a server that accepts only these host names."""
    command = [sys.executable, "-m", "streamlit", "run", str(app_file())]
    command += ["--server.address", "0.0.0.0", "--server.port", str(port)]  # noqa: S104
    command += ["--server.headless", "true"]
    for host in dict.fromkeys(hosts):
        command += ["--server.allowedHosts", host]
    return command


def invitation(address: str) -> str:
    """Return an address and its QR code as text for the terminal."""
    import segno  # imported here so that other commands start without it

    drawn = io.StringIO()
    segno.make(address, micro=False).terminal(drawn, compact=True)
    return f"{drawn.getvalue()}\nVisitors open {address}"
