"""Reading text files in whichever encoding a program saved them."""

import codecs
import time

import pytest
from PIL import Image

from captioning.datasets import load
from captioning.datasets.text_files import read_json, read_lines, read_start, read_text
from captioning.errors import DatasetError
from captioning.text import composed, tokenize

LANGUAGES = {
    "cp1252": "ein Hund läuft über die Straße, près du café “chez nous”",
    "gb18030": "一只狗在草地上奔跑。两个孩子在玩球。",
    "big5": "一隻狗在草地上奔跑。兩個孩子在玩球。",
    "cp932": "犬が芝生の上を走っています。子供たちがボールで遊んでいる",
    "cp949": "개가 잔디밭에서 달리고 있다. 두 아이가 공놀이를 한다",
    "cp1251": "собака бежит по траве, двое детей играют в мяч",
    "cp1255": "הכלב רץ על הדשא, ילדה עם כובע אדום",
    "cp1253": "ένας σκύλος τρέχει στο γρασίδι",
    "cp1256": "كلب يركض على العشب",
}


def table(text, rows=10):
    return "image,caption\r\n" + "".join(f"{n:03}.jpg,{text}\r\n" for n in range(rows))


def read(path, data, **options):
    path.write_bytes(data)
    remarks = []
    return read_text(path, remarks=remarks, **options), remarks


@pytest.mark.parametrize("encoding", LANGUAGES)
def test_encodings_of_windows_are_guessed_reported_and_can_be_given(tmp_path, encoding):
    text = table(LANGUAGES[encoding])
    expected = text.replace("\r\n", "\n")
    found, remarks = read(tmp_path / "a.csv", text.encode(encoding))
    assert found == expected
    assert len(remarks) == 1
    assert "probably" in remarks[0]
    assert "--encoding" in remarks[0]
    assert read(tmp_path / "a.csv", text.encode(encoding), encoding=encoding) == (expected, [])


def test_short_hebrew_is_not_taken_for_cyrillic(tmp_path):
    text = table("כלב רץ בפארק עם כדור")
    assert read(tmp_path / "a.csv", text.encode("cp1255"))[0] == text.replace("\r\n", "\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_zeros_at_the_end_of_a_file_are_left_out(tmp_path, encoding):
    data = table("käse").encode(encoding) + bytes(64)
    assert read(tmp_path / "a.csv", data) == (table("käse").replace("\r\n", "\n"), [])


def test_cyrillic_without_its_rarer_letters_is_not_taken_for_hebrew(tmp_path):
    text = table("собака бежит по траве в парке")
    assert read(tmp_path / "a.csv", text.encode("cp1251"))[0] == text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (b"", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_unicode_is_recognized_with_and_without_its_mark(tmp_path, mark, encoding):
    text = table("ein Hund läuft über die Straße, 一只狗")
    found, remarks = read(tmp_path / "a.csv", mark + text.encode(encoding))
    assert found == text.replace("\r\n", "\n")
    assert remarks == []
    assert read_start(tmp_path / "a.csv").startswith("image,caption\n000.jpg,ein Hund läuft")


def test_one_bad_byte_costs_one_character_and_its_line_is_reported(tmp_path):
    data = table("a café — près du “marché”").encode()
    bad = data.replace(b"\xc3\xa8", b"\xe8", 1)
    found, remarks = read(tmp_path / "a.csv", bad)
    assert found.count("\ufffd") == 1
    assert found.split("\n")[2:] == data.decode().replace("\r\n", "\n").split("\n")[2:]
    assert "line 2" in remarks[0]
    assert "UTF-8" in remarks[0]


def test_a_named_encoding_that_does_not_fit_is_refused(tmp_path):
    for encoding, reason in (
        ("utf-8", "line 2 is invalid"),
        ("klingon", "no encoding 'klingon'"),
    ):
        with pytest.raises(DatasetError, match=reason):
            read(tmp_path / "a.csv", table("Straße").encode("cp1252"), encoding=encoding)
    with pytest.raises(DatasetError, match="no encoding"):
        read(tmp_path / "a.csv", b"x", encoding="base64")  # no encoding of text


def test_lines_json_and_starts_share_the_decoding(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('\ufeff{"caption": "Straße"}\n'.encode())
    assert read_json(path) == {"caption": "Straße"}
    assert read_lines(path) == ['{"caption": "Straße"}']
    assert read_start(tmp_path / "missing") == read_start(tmp_path) == ""


def test_a_data_set_reports_the_guessed_encoding(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "000.jpg")
    (tmp_path / "captions.csv").write_bytes(table("一只狗在草地上奔跑。", 1).encode("gb18030"))
    dataset = load(tmp_path)
    assert dataset.photos[0].captions == ("一只狗在草地上奔跑。",)
    assert "probably gb18030" in dataset.summary()
    assert "probably" not in load(tmp_path, "gb18030").summary()


def test_a_file_with_more_lines_than_any_table_of_captions_is_refused(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes(b"x\n" * 3_500_000 + b"\n\n")
    assert len(read_lines(path)) == 3_500_000
    path.write_bytes(b"x\n" * 3_500_001)
    with pytest.raises(DatasetError, match="more than 3,500,000 lines"):
        read_lines(path)


def test_marks_in_the_wrong_order_are_composed_in_time():
    marks = "\u0301" * 75_000 + "\u0327" * 75_000
    started = time.process_time()
    assert len(composed(f"a{marks}")) == 150_000  # the first accent is in the letter
    assert len(tokenize(f"\u72ac{marks} a{marks} b")) == 3
    assert time.process_time() - started < 5
    assert composed("a\u0301\u0327" + "\u0302" * 29) == "\u00e1\u0327" + "\u0302" * 29


def test_the_damaged_lines_of_a_file_are_counted(tmp_path):
    _, remarks = read(tmp_path / "a.csv", b"\xc3\xa4\xc3\xa4\xff\r\n\n" * 5)
    assert "5 of its lines (line 1, 3, 5, ...)" in remarks[0]
