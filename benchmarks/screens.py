# ruff: noqa: E501  (HTML)
"""Screenshots of random pages rendered by Chromium."""

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.serving import find_chromium

WINDOWS = ((1280, 800), (1600, 900), (1366, 768), (390, 844), (360, 740), (820, 1180), (1024, 600))
WORDS = (
    "settings the search open file of account new message to save and today photo list send view "
    "your with team project order home price help edit for return import value name total profile"
).split()
Random = np.random.Generator
Page = Callable[[Random, str], str]


def take_screenshots(
    pages: Sequence[Page], count: int, photos: Sequence[Path], *, seed: int
) -> Iterator[Image.Image]:
    """Render `count` pages in windows of phones, tablets and computers, light and dark.

    Args:
        pages: templates, used cyclically.
        count: number of screenshots.
        photos: for templates that contain a photo.
        seed: of the random content.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        tab = browser.new_page()
        for number in range(count):
            random = np.random.default_rng((seed, number))
            width, height = WINDOWS[int(random.integers(len(WINDOWS)))]
            tab.set_viewport_size({"width": width, "height": height})
            photo = _data_link(photos[int(random.integers(len(photos)))])
            tab.set_content(_themed(random, pages[number % len(pages)](random, photo)))
            yield Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
        browser.close()


def _themed(random: Random, body: str) -> str:
    dark = random.random() < 0.35
    back = random.choice(
        ["#111", "#1e1e1e", "#0d1b2a"] if dark else ["#fff", "#fff", "#f4f5f7", "#fafaf5"]
    )
    font = random.choice(["sans-serif", "serif", "monospace", "Liberation Sans"])
    accent = random.choice(["#1a73e8", "#d93025", "#188038", "#9334e6", "#e37400", "#5f6368"])
    return (
        f"<style>body{{margin:0;background:{back};color:{'#ddd' if dark else '#222'};"
        f"font:{random.integers(12, 20)}px {font}}} .bar{{background:{accent};color:#fff;padding:12px}}"
        f".box{{border:1px solid #8886;border-radius:{random.integers(0, 14)}px;padding:10px;margin:8px}}"
        f".tint{{background:{accent}33}} button{{background:{accent};color:#fff;border:0;padding:8px 16px}}"
        f"td,th{{border:1px solid #8886;padding:6px}} input{{width:90%;padding:6px}}</style>{body}"
    )


def _words(random: Random, least: int, most: int) -> str:
    return html.escape(" ".join(random.choice(WORDS, int(random.integers(least, most + 1)))))


def _data_link(photo: Path) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()


def _bar(random: Random) -> str:
    return f"<div class=bar><b>{_words(random, 1, 3)}</b></div>"


def _article(random: Random, photo: str) -> str:
    parts = "".join(
        f"<h3>{_words(random, 2, 5)}</h3><p>{_words(random, 30, 120)}" for _ in range(6)
    )
    return f"{_bar(random)}<div style='padding:20px;max-width:{random.integers(500, 1200)}px'>{parts}</div>"


def _table(random: Random, photo: str) -> str:
    columns = int(random.integers(3, 9))
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{random.integers(0, 9999)} {_words(random, 0, 1)}" for _ in range(columns))
        for _ in range(int(random.integers(8, 40)))
    )
    return f"{_bar(random)}<table style='width:100%;border-collapse:collapse'>{rows}</table>"


def _form(random: Random, photo: str) -> str:
    fields = "".join(
        f"<p>{_words(random, 1, 3)}<br><input value='{_words(random, 0, 3)}'>" for _ in range(8)
    )
    return f"{_bar(random)}<div class=box>{fields}<p><button>{_words(random, 1, 2)}</button></div>"


def _chat(random: Random, photo: str) -> str:
    bubbles = "".join(
        f"<div class='box {random.choice(['', 'tint'])}' style='width:60%;"
        f"margin-left:{random.choice([8, 30])}%'>{_words(random, 2, 30)}</div>"
        for _ in range(14)
    )
    return f"{_bar(random)}{bubbles}"


def _photo_post(random: Random, photo: str) -> str:
    width = int(random.integers(25, 60))
    return (
        f"{_bar(random)}<div style='padding:16px'><b>{_words(random, 2, 4)}</b><p>{_words(random, 5, 25)}"
        f"<p><img src='{photo}' style='width:{width}%'><p>{_words(random, 10, 60)}"
        f"<p><button>{_words(random, 1, 1)}</button> <button>{_words(random, 1, 1)}</button></div>"
    )


def _map(random: Random, photo: str) -> str:
    roads = "".join(
        f"<path d='M{random.integers(0, 1900)} {random.integers(0, 1000)} L{random.integers(0, 1900)} "
        f"{random.integers(0, 1000)} L{random.integers(0, 1900)} {random.integers(0, 1000)}' fill=none "
        f"stroke='{random.choice(['#fff', '#ffd54f', '#f4a742'])}' stroke-width={random.integers(3, 16)} />"
        for _ in range(30)
    )
    areas = "".join(
        f"<rect x={random.integers(0, 1900)} y={random.integers(0, 1000)} width={random.integers(50, 400)} "
        f"height={random.integers(50, 300)} fill='{random.choice(['#c8e6c9', '#bbdefb', '#e0e0e0'])}' />"
        for _ in range(15)
    )
    names = "".join(
        f"<text x={random.integers(0, 1800)} y={random.integers(0, 1000)} fill='#555'>{_words(random, 1, 2)}</text>"
        for _ in range(40)
    )
    return f"<svg width=1920 height=1080 style='background:#ece9e1'>{areas}{roads}{names}</svg>"


def _code(random: Random, photo: str) -> str:
    lines = "".join(
        f"<div style='padding-left:{20 * random.integers(0, 6)}px;color:{random.choice(['#569cd6', '#ce9178', '#6a9955', 'inherit'])}'>"
        f"{_words(random, 1, 9)}</div>"
        for _ in range(60)
    )
    side = "".join(f"<div>{_words(random, 1, 2)}.py</div>" for _ in range(20))
    return f"<div style='display:flex;font-family:monospace'><div class=tint style='width:20%'>{side}</div><div>{lines}</div></div>"


def _dashboard(random: Random, photo: str) -> str:
    def card() -> str:
        bars = "".join(
            f"<rect x={20 * n} y={100 - h} width=14 height={h} fill='#4c8bf5' />"
            for n, h in enumerate(random.integers(5, 100, 10))
        )
        return f"<div class=box style='width:220px'><h2>{random.integers(0, 9999)}</h2><svg width=200 height=100>{bars}</svg>{_words(random, 2, 5)}</div>"

    return f"{_bar(random)}<div style='display:flex;flex-wrap:wrap'>{''.join(card() for _ in range(12))}</div>"


def _mail(random: Random, photo: str) -> str:
    rows = "".join(
        f"<div style='border-bottom:1px solid #8886;padding:9px'><b>{_words(random, 1, 2)}</b> {_words(random, 4, 16)}"
        f"<span style='float:right'>{random.integers(1, 24)}:00</span></div>"
        for _ in range(25)
    )
    return f"{_bar(random)}<div style='display:flex'><div class=tint style='width:18%'>{_words(random, 20, 40)}</div><div style='width:82%'>{rows}</div></div>"


def _phone_settings(random: Random, photo: str) -> str:
    rows = "".join(
        f"<div style='padding:16px;border-bottom:1px solid #8884'>{_words(random, 1, 3)}<br><small>{_words(random, 2, 8)}</small></div>"
        for _ in range(16)
    )
    return f"<h1 style='padding:16px'>{_words(random, 1, 1)}</h1>{rows}"


def _shop(random: Random, photo: str) -> str:
    card = (
        f"<div class=box style='width:{random.integers(150, 240)}px'><img src='{photo}' style='width:100%'>"
        f"<p>{_words(random, 2, 6)}<p><b>{random.integers(5, 99)}.99</b> <button>{_words(random, 1, 1)}</button></div>"
    )
    empty = f"<div class=box style='width:200px'>{_words(random, 15, 40)}</div>"
    return f"{_bar(random)}<div style='display:flex;flex-wrap:wrap'>{card}{empty * 5}{card}{empty * 4}</div>"


def _terminal(random: Random, photo: str) -> str:
    lines = "".join(f"<div>$ {_words(random, 1, 12)}</div>" for _ in range(70))
    return f"<div style='background:#{random.choice(['000', '300a24', '002b36'])};color:#{random.choice(['0f0', 'eee', '93a1a1'])};font-family:monospace;min-height:100vh'>{lines}</div>"


def _calendar(random: Random, photo: str) -> str:
    days = "".join(
        f"<td style='height:90px;width:14%;vertical-align:top'>{n % 7 * 4 + 1}"
        + (f"<div class=tint>{_words(random, 1, 3)}</div>" if random.random() < 0.4 else "")
        + ("<tr>" if n % 7 == 6 else "")
        for n in range(35)
    )
    return f"{_bar(random)}<table style='width:100%;border-collapse:collapse'><tr>{days}</table>"


FIT_PAGES: tuple[Page, ...] = (_article, _table, _form, _chat, _photo_post, _map, _code, _dashboard)
"""Templates of the screenshots that weights are fitted to."""
SCORE_PAGES: tuple[Page, ...] = (_mail, _phone_settings, _shop, _terminal, _calendar)
"""Templates of the screenshots that are scored, none of which is in `FIT_PAGES`."""
