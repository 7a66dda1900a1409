"""Malicious files of features: each is refused with a sentence, quickly."""

import io
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.errors import FeaturesError
from captioning.tutorial_files import array_reader, files, read_features

NAME = b"X\x05\x00\x00\x00a.jpg"


def string(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def pickled(*parts):
    return b"\x80\x04}" + b"".join(parts) + b"s."


DTYPE = b"cnumpy\ndtype\n("
OBJECTS = DTYPE + string("O8") + b"\x89\x88tR"
CLEARED_FLAGS = b"(K\x03" + string("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
FLOATS = DTYPE + string("f4") + b"\x89\x88tR"
BLANK = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
EIGHT_BYTES = b"C\x08\x10\x20\x30\x40\x50\x60\x70\x80"

HOSTILE = {
    "an object pointer out of eight bytes": pickled(
        NAME,
        b"cnumpy._core.multiarray\nscalar\n(" + OBJECTS + CLEARED_FLAGS + EIGHT_BYTES + b"tR",
    ),
    "a write through a wild pointer": pickled(
        NAME,
        b"cnumpy\nndarray\n(K\x01\x85" + string("O") + b"\x96\x08" + b"\0" * 7 + b"A" * 8 + b"tR",
        b"K\x00K\x01s",
    ),
    "an array of objects": pickled(
        NAME, BLANK + b"(K\x01K\x01\x85" + OBJECTS + b"\x89" + EIGHT_BYTES + b"tb"
    ),
    "a key that hashes for ever": pickled(b")" + b"2\x86" * 60, b"K\x01"),
    "the same key without DUP": pickled(
        b")\x94" + b"".join(b"h" + bytes([n]) + b"\x86\x94" for n in range(60)), b"K\x01"
    ),
    "bytes doubled by encode": pickled(
        NAME,
        b"c_codecs\nencode\n(" * 20 + string("ab") + (string("hex") + b"tR") * 20,
    ),
    "BUILD on a function": pickled(
        NAME, b"cnumpy._core.numeric\n_frombuffer\n}" + string("__module__") + string("x") + b"sb"
    ),
    "BUILD on a class": pickled(NAME, b"cnumpy\nndarray\n}" + string("x") + string("y") + b"sb"),
    "a shape beyond its bytes": pickled(
        NAME, BLANK + b"(K\x01J\0\0\0\x7f\x85" + FLOATS + b"\x89" + EIGHT_BYTES + b"tb"
    ),
    "a shape that overflows": pickled(
        NAME,
        BLANK + b"(K\x01" + b"\x8a\x08\0\0\0\0\0\0\0\x40" * 2 + b"\x86" + FLOATS + b"\x89C\0tb",
    ),
    "a length that is not there": pickled(NAME, b"\x8e" + b"\xff" * 7 + b"\x7f" + b"abc"),
    "a number of a million digits": pickled(b"L" + b"9" * 1_000_000 + b"L\n", b"K\x01"),
    "a negative shape": pickled(
        NAME, BLANK + b"(K\x01J\xff\xff\xff\xff\x85" + FLOATS + b"\x89C\0tb"
    ),
    "no opcode": b"\x80\x04\xff",
    "too many arrays": b"\x80\x04}("
    + b"".join(string(f"{n:05}") + b"N" for n in range(100_001))
    + b"u.",
    "an empty stack": b"\x80\x04R.",
    "items beyond the mark": b"\x80\x04}" + NAME + b"(\x86u.",
}


def made(tmp_path, content):
    path = tmp_path / "features.p"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pickle_is_refused_with_a_sentence(tmp_path, content):
    path = made(tmp_path, content)
    found = array_reader.main(str(path), str(tmp_path / "arrays"), len(content))
    assert found["error"].endswith(".")
    assert len(found["error"]) < 300


@pytest.mark.parametrize("name", ["features-segfault.p", "features-freezes.p"])
@pytest.mark.process
def test_the_two_found_in_the_wild_are_refused(tmp_path, name):
    path = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile" / name
    if not path.is_file():
        pytest.skip("the file is not on this machine")
    with pytest.raises(FeaturesError):
        read_features(path)


@pytest.mark.process
def test_one_text_used_for_many_arrays_does_not_fill_the_disk(tmp_path):
    text = b"X\x00\x10\x00\x00" + b"a" * 4096
    array = BLANK + b"(K\x01M\x00\x04\x85" + FLOATS + b"\x89"
    named = [string("a.jpg") + array + text + b"\x94tb"]
    named += [string(f"{n}.jpg") + array + b"h\x00tb" for n in range(300)]
    with pytest.raises(FeaturesError, match="more numbers than the file"):
        read_features(made(tmp_path, b"\x80\x04}(" + b"".join(named) + b"u."))


def test_instructions_are_counted(monkeypatch, tmp_path):
    monkeypatch.setattr(array_reader, "MAX_INSTRUCTIONS", 100)
    found = array_reader.main(
        str(made(tmp_path, b"K\x00\x94" * 60)), str(tmp_path / "arrays"), 10_000
    )
    assert "more than the 100 instructions" in found["error"]


READER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("array_reader", {path!r})
reader = importlib.util.module_from_spec(spec)
sys.modules["array_reader"] = reader
spec.loader.exec_module(reader)
"""


@pytest.mark.parametrize(
    "body",
    [
        "import ctypes; ctypes.string_at(0)",
        "import time; time.sleep(100)",
        "print('no JSON')",
        pytest.param(
            READER + "reader.limit(); bytearray(3_000_000_000); print('{\"arrays\": []}')",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="has no such limit"),
        ),
    ],
)
@pytest.mark.process
def test_what_ends_the_process_that_reads_is_an_error_here(monkeypatch, tmp_path, body):
    script = tmp_path / "reader.py"
    script.write_text(body.replace("{path!r}", repr(array_reader.__file__)))
    monkeypatch.setattr(files.array_reader, "__file__", str(script))
    monkeypatch.setattr(files, "_MOST_SECONDS", 2)
    with pytest.raises(FeaturesError, match=r"features\.p was not read"):
        read_features(made(tmp_path, b"x"))


def npz(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(shape, kind="<f4", data=b""):
    return with_header(repr({"descr": kind, "fortran_order": False, "shape": shape}), data)


def with_header(text, data):
    text = text.encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (npz(a=npy((10**10,))), "shape"),
        (npz(**{f"a{n}": b"" for n in range(100_001)}), "more than the 100,000 arrays"),
        (npz(a=npy((10**6, 10**6))), "shape"),
        (npz(a=npy("1L")), "no header"),
        (npz(a=npy((1,) * 400, data=bytes(4))), "header"),
        (npz(a=npy((2,), "|O", pickle.dumps([1, 2]))), "plain numbers"),
        (npz(a=bytes(2_000_000)), "no array"),
        (npz(a=npy((1,), "<f4", struct.pack("<f", float("nan")))), "NaN"),
        (npz(a=npy((1,), "<f4", bytes(4)))[:-30], "features"),
    ],
)
@pytest.mark.process
def test_a_hostile_npz_is_refused_with_a_sentence(tmp_path, content, match):
    with pytest.raises(FeaturesError, match=match):
        read_features(made(tmp_path, content))


def test_an_npz_that_unpacks_to_more_than_is_accepted_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FEATURE_BYTES", 100_000)
    with pytest.raises(FeaturesError, match=r"longer than the 0 MB|unpacked"):
        read_features(made(tmp_path, npz(a=npy((50_000,), data=bytes(200_000)))))


@pytest.mark.parametrize(
    "header",
    [
        "{'shape': (1L, 3L), 'fortran_order': True, 'descr': '<f4'}",  # of Python 2
        '{"descr":"<f4","fortran_order":False,"shape":(1,3),"more":(1,2)}',
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), 'x': -" + "-" * 700 + "1}",
    ],
)
def test_only_three_parts_of_a_header_are_read(tmp_path, header):
    path = made(tmp_path, npz(a=with_header(header, struct.pack("<3f", 1, 2, 3))))
    (found,) = array_reader.main(str(path), str(tmp_path / "arrays"), 10_000)["arrays"]
    assert (found["shape"], found["dtype"]) == ((1, 3), "<f4")
    assert np.fromfile(tmp_path / "arrays", "<f4").tolist() == [1, 2, 3]


def test_no_file_takes_ten_seconds():
    assert array_reader.MAX_CPU_SECONDS < 10


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.process
def test_npz_files_are_read(tmp_path, save):
    path = tmp_path / "features.npz"
    arrays = {"a.jpg": np.ones((1, 3), np.float32), "b": np.asfortranarray(np.eye(3))}
    save(path, **arrays)
    found = read_features(path)
    assert list(found) == list(arrays)
    for name, expected in arrays.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.process
def test_arrays_of_every_order_and_age_are_read(tmp_path, protocol):
    random = np.random.default_rng(1)
    arrays = {
        "rows": random.normal(size=(3, 4)).astype(np.float32),
        "columns": np.asfortranarray(random.normal(size=(3, 4))),
        "other bytes first": np.arange(6, dtype=">i2").reshape(2, 3),
        "a slice": np.arange(100, dtype=np.uint8)[10:90:7],
        "one number": np.array(2.5, np.float16),
    }
    arrays["twice"] = arrays["rows"]
    found = read_features(made(tmp_path, pickle.dumps(arrays, protocol)))
    for name, expected in arrays.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].shape == expected.shape


def test_a_pickle_of_python_2_is_read(tmp_path):
    content = (
        b"\x80\x02}U\x05a.jpgcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b"
        b"\x87R(K\x01K\x01K\x02\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x08" + struct.pack("<2f", 1.5, -200.0) + b"tbs."
    )
    np.testing.assert_array_equal(read_features(made(tmp_path, content))["a.jpg"], [[1.5, -200]])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no such files")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(FeaturesError, match="not a file"):
            read_features(path)
    with pytest.raises(FeaturesError, match="0.0 MB"):
        read_features(made(tmp_path, b""))


PARTS = st.sampled_from(
    [
        *(bytes([code]) for code in b"(})]2R.bseut0NtQ\x85\x86\x87\x88\x89\x94\x93"),
        b"h\x00", b"h\x01", b"K\x01", b"J\xff\xff\xff\xff", NAME, FLOATS, BLANK, OBJECTS,
        EIGHT_BYTES, b"c_codecs\nencode\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n",
        b"cnumpy._core.multiarray\n_reconstruct\n", b"cnumpy._core.numeric\n_frombuffer\n",
        string("latin1"), string("|"), string("C"),
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(PARTS, st.binary(max_size=3)), max_size=40))
def test_any_pickle_gives_arrays_or_a_sentence(tmp_path_factory, parts):
    folder = tmp_path_factory.getbasetemp()
    found = array_reader.main(
        str(made(folder, b"\x80\x04}" + b"".join(parts))), str(folder / "arrays"), 10_000
    )
    assert list(found) in (["arrays"], ["error"])
    assert all(type(entry["name"]) is str for entry in found.get("arrays", []))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_changed_pickle_gives_arrays_or_a_sentence(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    protocol = data.draw(st.integers(0, pickle.HIGHEST_PROTOCOL))
    content = bytearray(pickle.dumps({"a": np.ones((2, 3), np.float32)}, protocol))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    found = array_reader.main(str(made(folder, bytes(content))), str(folder / "arrays"), 10_000)
    assert list(found) in (["arrays"], ["error"])
