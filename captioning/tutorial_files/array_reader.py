"""A separate program that reads `.npz` files and pickles from outside and writes plain arrays.

    python -I array_reader.py FEATURES ARRAYS MAX_BYTES

It imports nothing of this project and runs in a child process, with limits on memory and CPU time
if the system has them, so that a malicious file ends only this process.  It prints JSON to standard
output: `arrays`, a list of name, dtype, shape and offset in the file ARRAYS, which contains the
numbers of all arrays one after the other; or `error`, a sentence.

A pickle is a program.  It is not run here: its instructions are read one by one, those that
Python and NumPy write for a dictionary of arrays are followed, and any other ends the reading.  A
pickle creates no objects.  An array is a dtype of plain numbers, a shape, and bytes in the file;
contradictions are refused before memory is allocated.
"""

import json
import math
import mmap
import pickletools
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAX_MEMORY = 1_500_000_000
MAX_CPU_SECONDS = 9
MAX_INSTRUCTIONS = 2_000_000
MAX_NAME = 1_000
MAX_ARRAYS = 100_000

_NUMBERS = re.compile(r"[<>=|]?[fiu][1248]")
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_LENGTH_BYTES = {b"\x93NUMPY\1\0": 2, b"\x93NUMPY\2\0": 4}
_MAX_HEADER = 1_000
# Python 2 writes the sizes of a shape with an L.
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*(['"][^'"]*|[^'"\s])""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d\sL,]*)\)""")
_FUNCTIONS = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    **{(module, "_reconstruct"): "reconstruct" for module in _MULTIARRAY},
}


class Refused(Exception):
    """The file is refused; the text says why."""


@dataclass(frozen=True)
class Function:
    """Something that a pickle may name."""

    name: str


@dataclass(frozen=True)
class Bytes:
    """Bytes of the pickle, which are not copied."""

    start: int
    length: int


@dataclass
class Kind:
    """A dtype of plain numbers."""

    name: str
    order: str = "="

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return np.dtype(self.name).newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass
class Array:
    """An array, whose numbers are in the pickle at `data`."""

    kind: Kind | None = None
    shape: tuple[int, ...] = ()
    fortran: bool = False
    data: Bytes | str = ""


class Pickle:
    """The instructions of a pickle, followed as far as they make a dictionary of arrays."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def read(self) -> dict[str, Any]:
        """Return the dictionary that the pickle describes."""
        instructions = pickletools.genops(self.content)  # type: ignore[arg-type]
        for number, (opcode, argument, _) in enumerate(instructions, start=1):
            if number > MAX_INSTRUCTIONS:
                raise Refused(f"it has more than the {MAX_INSTRUCTIONS:,} instructions accepted")
            if opcode.name == "STOP":
                break
            self._follow(opcode.name, argument)
        content = self._pop()
        if type(content) is not dict:
            raise Refused(f"expected a dictionary of arrays, found {_called(content)}")
        if len(content) > MAX_ARRAYS:
            raise Refused(f"it has more than the {MAX_ARRAYS:,} arrays accepted")
        return content

    def _follow(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in _BYTES:
            self.stack.append(Bytes(self.content.tell() - len(argument), len(argument)))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self._top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self._top()
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise Refused(f"it has the instruction {name}, which no dictionary of arrays needs")

    def _top(self) -> Any:
        self._need(1)
        return self.stack[-1]

    def _pop(self) -> Any:
        self._need(1)
        return self.stack.pop()

    def _need(self, count: int) -> None:
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise Refused("it is damaged: an instruction finds nothing to work on")

    def _after_mark(self) -> list[Any]:
        if not self.marks:
            raise Refused("it is damaged: an instruction finds nothing to work on")
        place = self.marks.pop()
        found = self.stack[place:]
        del self.stack[place:]
        return found

    def _tuple(self, count: int) -> None:
        self._need(count)
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _dict(self, _: Any) -> None:
        items = self._after_mark()
        self.stack.append({})
        self._set(items)

    def _set_item(self, _: Any) -> None:
        self._need(3)
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _set(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is not dict or len(items) % 2:
            raise Refused(f"it is damaged: items are set on {_called(target)}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is not str:
                raise Refused(f"a photo's name should be a text, found {_called(key)}")
            if len(key) > MAX_NAME:
                raise Refused(f"a photo's name is longer than {MAX_NAME:,} letters")
            target[key] = value

    def _append(self, items: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise Refused(f"it is damaged: items are put behind {_called(target)}")
        target += items

    def _global(self, argument: str | None) -> None:
        if argument is None:
            name, module = self._pop(), self._pop()
        else:
            module, _, name = argument.partition(" ")
        if type(module) is not str or type(name) is not str:
            raise Refused("it is damaged: a name should be a text")
        if (module, name) not in _FUNCTIONS:
            raise Refused(
                f"it asks for {module[:80]}.{name[:80]}; only arrays and plain containers are "
                "read, because a pickle can run any program"
            )
        self.stack.append(Function(_FUNCTIONS[module, name]))

    def _reduce(self, _: Any) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not Function or type(arguments) is not tuple:
            raise Refused(f"it calls {_called(function)}")
        self.stack.append(_call(function.name, arguments))

    def _build(self, _: Any) -> None:
        state, target = self._pop(), self._top()
        match target, state:
            case Kind(), (int(), str(order), None, None, None, *_) if order in ("<", ">", "|"):
                target.order = "=" if order == "|" else order
            case Array(), (int(), tuple(shape), Kind() as kind, bool() | int() as fortran, data):
                _fill(target, kind, shape, bool(fortran), data)
            case _:
                raise Refused(f"it changes {_called(target)} in a way that no array needs")


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    match name, arguments:
        case "dtype", (str(kind), *_):
            if not _NUMBERS.fullmatch(kind):
                raise Refused(f"expected arrays of plain numbers, found the type {kind[:20]!r}")
            return Kind(kind.lstrip("<>=|"))
        case "reconstruct", (Function("ndarray"), (0,), _):
            return Array()
        case "encode", (str(text), "latin1" | "latin-1"):
            return text  # how protocols 0 to 2 keep bytes; made bytes when they are written
        case "frombuffer", (Bytes() as data, Kind() as kind, tuple(shape), "C" | "F" as order):
            array = Array()
            _fill(array, kind, shape, order == "F", data)
            return array
    raise Refused(f"it calls {name} in a way that no array needs")


def _fill(array: Array, kind: Kind, shape: tuple[Any, ...], fortran: bool, data: Any) -> None:
    if type(data) not in (Bytes, str):
        raise Refused(f"an array's numbers should be bytes, found {_called(data)}")
    length = data.length if type(data) is Bytes else len(data)
    _check_shape(shape, kind.dtype, length)
    array.kind, array.shape, array.fortran, array.data = kind, shape, fortran, data


def _check_shape(shape: tuple[Any, ...], dtype: np.dtype[Any], length: int) -> None:
    if len(shape) > 8 or not all(type(n) is int and 0 <= n <= length for n in shape):
        raise Refused("an array's shape is no list of up to 8 sizes that its numbers fill")
    if math.prod(shape) * dtype.itemsize != length:
        raise Refused(f"an array of shape {shape} should have other than {length:,} bytes")


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = set(
    "INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING "
    "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8".split()
)
_BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_ACTIONS: dict[str, Callable[[Pickle, Any], None]] = {
    "MARK": lambda pickle, _: pickle.marks.append(len(pickle.stack)),
    "TUPLE": lambda pickle, _: pickle.stack.append(tuple(pickle._after_mark())),
    "TUPLE1": lambda pickle, _: pickle._tuple(1),
    "TUPLE2": lambda pickle, _: pickle._tuple(2),
    "TUPLE3": lambda pickle, _: pickle._tuple(3),
    "EMPTY_DICT": lambda pickle, _: pickle.stack.append({}),
    "DICT": Pickle._dict,
    "SETITEM": Pickle._set_item,
    "SETITEMS": lambda pickle, _: pickle._set(pickle._after_mark()),
    "EMPTY_LIST": lambda pickle, _: pickle.stack.append([]),
    "LIST": lambda pickle, _: pickle.stack.append(pickle._after_mark()),
    "APPEND": lambda pickle, _: pickle._append([pickle._pop()]),
    "APPENDS": lambda pickle, _: pickle._append(pickle._after_mark()),
    "GLOBAL": Pickle._global,
    "STACK_GLOBAL": Pickle._global,
    "REDUCE": Pickle._reduce,
    "BUILD": Pickle._build,
}


def _called(value: Any) -> str:
    """Return the kind of a value; its content may be too long or too deeply nested to show."""
    return value.name if type(value) is Function else type(value).__name__.lower()


def read_pickle(path: Path, out: BinaryIO) -> list[dict[str, Any]]:
    """Write the arrays of a pickle to `out`; return what `main` prints of each."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        arrays = Pickle(content).read()
        written = []
        for name, array in arrays.items():
            if type(array) is not Array or array.kind is None:
                raise Refused(f"{name[:80]!r} should have an array, found {_called(array)}")
            if out.tell() > len(content):
                raise Refused("its arrays have more numbers than the file")
            data = array.data
            if type(data) is Bytes:
                raw = content[data.start : data.start + data.length]
            else:
                raw = str(data).encode("latin-1")
            order = "F" if array.fortran else "C"
            numbers = np.frombuffer(raw, array.kind.dtype).reshape(array.shape, order=order)  # type: ignore[call-overload]
            written.append(_write(name, numbers, out))
    return written


def read_npz(path: Path, out: BinaryIO, max_bytes: int) -> list[dict[str, Any]]:
    """Write the arrays of an `.npz` file to `out`; return what `main` prints of each."""
    written = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_ARRAYS:
            raise Refused(f"it has more than the {MAX_ARRAYS:,} arrays accepted")
        if sum(member.file_size for member in members) > max_bytes:
            raise Refused(f"unpacked it is longer than the {max_bytes / 1e6:,.0f} MB accepted")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if len(name) > MAX_NAME:
                raise Refused(f"a photo's name is longer than {MAX_NAME:,} letters")
            with archive.open(member) as file:
                # Without the size, all that a false member expands to would be unpacked.
                content = file.read(member.file_size)
            written.append(_write(name, _npy(name, content), out))
    return written


def _npy(name: str, content: bytes) -> np.ndarray:
    length_bytes = _LENGTH_BYTES.get(content[:8])
    if length_bytes is None:
        raise Refused(f"{name[:80]!r} is no array that can be read here")
    start = 8 + length_bytes
    end = start + int.from_bytes(content[8:start], "little")
    if end - start > _MAX_HEADER:
        raise Refused("the header of an array is too long")
    shape, fortran, kind = _header(name, content[start:end].decode("latin-1"))
    if not _NUMBERS.fullmatch(kind):
        raise Refused(
            f"{name[:80]!r} should be an array of plain numbers, found the type {kind[:20]!r}"
        )
    dtype = np.dtype(kind)
    _check_shape(shape, dtype, max(len(content) - end, 0))
    numbers = np.frombuffer(memoryview(content)[end:], dtype)
    return numbers.reshape(shape, order="F" if fortran else "C")


def _header(name: str, text: str) -> tuple[tuple[int, ...], bool, str]:
    """Return shape, order and dtype of an array.

    Reading the header as Python, as NumPy does, takes it up to a millisecond an array.
    """
    kind, order, shape = (part.search(text) for part in (_DESCR, _ORDER, _SHAPE))
    if kind is None or order is None or shape is None:
        raise Refused(f"{name[:80]!r} has no header of an array")
    sizes = tuple(map(int, re.findall(r"\d+", shape[1])))
    return sizes, order[1] == "True", kind[1].strip("'\"")


def _write(name: str, numbers: np.ndarray, out: BinaryIO) -> dict[str, Any]:
    native = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("="))
    if not np.isfinite(native).all():
        raise Refused(f"the features of {name[:80]!r} hold numbers that are no numbers (NaN, inf)")
    place = out.tell()
    out.write(native.data)
    return {"name": name, "dtype": native.dtype.str, "shape": numbers.shape, "place": place}


def limit() -> None:
    """Limit this process's memory and CPU time, if the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent process limits its time
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(features: str, arrays: str, max_bytes: int) -> dict[str, Any]:
    """Read the file, write its arrays, and return what is printed."""
    path = Path(features)
    packed = zipfile.is_zipfile(path)
    try:
        with open(arrays, "wb") as out:
            read = read_npz(path, out, max_bytes) if packed else read_pickle(path, out)
            return {"arrays": read}
    except Refused as error:
        return {"error": f"{error}."}
    except MemoryError:
        return {"error": "it needs more memory than a file of features may take."}
    except Exception as error:  # a damaged file may raise anything
        kind = ".npz file" if packed else "pickle"
        return {"error": f"it is no {kind} that can be read to its end ({type(error).__name__})."}


if __name__ == "__main__":
    limit()
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
