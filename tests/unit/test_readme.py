"""The README's lines of Python do what they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.slow
def test_ten_lines_train_a_model(tmp_path, monkeypatch, data_home, capsys):
    (code,) = [block for block in BLOCKS if "train(" in block]
    assert len(code.splitlines()) <= 10
    for long, short in (("count=600", "count=40"), ('"epochs=4"', '"epochs=2", "units=16"')):
        assert long in code
        code = code.replace(long, short)
    code = code.replace('"units=16"', '"decoder.units=16", "encoder.width=4"')
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "my-model" / "decoder.safetensors").is_file()
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
def test_the_first_lines_caption_photos(tmp_path, monkeypatch, capsys):
    (code,) = [block for block in BLOCKS if "caption_many(" in block]
    monkeypatch.chdir(tmp_path)
    photo = next((ROOT / "assets" / "photos").glob("*.jpg"))
    for name in ("photo.jpg", "one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.strip().splitlines()) == 3
