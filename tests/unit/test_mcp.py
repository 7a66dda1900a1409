"""Captions for agents: the tools, and a conversation over standard input and output."""

import asyncio
import base64
import sys
from importlib.util import find_spec

import pytest

from captioning.captioner import Captioner
from captioning.cli.mcp import PhotoTools
from captioning.datasets import generate_shapes
from captioning.errors import CaptioningError, ConfigError, ImageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with twelve drawn pictures, next to one that must not be read."""
    home = tmp_path_factory.mktemp("mcp")
    photos = generate_shapes(home / "drawn", count=12, seed=0)
    inside, outside = home / "inside", home / "outside"
    (inside / "more").mkdir(parents=True)
    outside.mkdir()
    for number, photo in enumerate(photos.photos):
        place = inside / "more" if number % 2 else inside
        (place / f"{number}.jpg").write_bytes(photos.path(photo).read_bytes())
    (outside / "secret.jpg").write_bytes((inside / "0.jpg").read_bytes())
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    (inside / "away").symlink_to(outside)
    return inside


@pytest.fixture(scope="module")
def tools(folder):
    return PhotoTools([folder], "shapes")


def test_a_photo_is_captioned_by_path_or_content(tools, folder):
    expected = Captioner.load("shapes").caption(folder / "0.jpg")
    content = base64.b64encode((folder / "0.jpg").read_bytes()).decode()
    answers = [
        tools.caption(path="0.jpg"),
        tools.caption(path=str(folder / "0.jpg")),
        tools.caption(image_base64=content),
        tools.caption(image_base64=f"data:image/jpeg;base64,{content}"),
    ]
    for answer in answers:
        assert answer["sentence"] == expected.sentence
        assert answer["confidence"] == pytest.approx(expected.confidence)
        assert answer["doubtful"] is expected.doubtful


@pytest.mark.parametrize(
    "path",
    ["../outside/secret.jpg", "../outside/none.jpg", "/etc/passwd", "link.jpg", "away/secret.jpg"],
)
def test_nothing_outside_the_folders_is_read(tools, path):
    with pytest.raises(ImageError, match="outside the folders that may be read"):
        tools.caption(path=path)


def test_a_folder_is_described_without_what_links_lead_to(tools, folder):
    answer = tools.describe_folder(count=5)
    assert answer["photos"] == 12
    names = [row["photo"] for row in answer["described"]]
    assert names == sorted(names)
    assert len(names) == 5
    assert "link.jpg" not in names
    assert tools.describe_folder("more")["photos"] == 6
    with pytest.raises(ImageError, match="outside"):
        tools.describe_folder("away")


def test_photos_are_found_by_words(tools, monkeypatch):
    answer = tools.find("a red circle", count=12)
    gains = [photo["gain"] for photo in answer["photos"]]
    assert answer["searched"] == len(gains) == 12
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > gains[-1]
    monkeypatch.setattr("captioning.cli.mcp.encode_album", None)  # the photos are not read again
    assert tools.find("a green square")["searched"] == 12


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda tools: tools.caption(), "Give either"),
        (lambda tools: tools.caption(image_base64="?"), "is not base64"),
        (lambda tools: tools.caption(path="none.jpg"), "does not exist"),
        (lambda tools: tools.find("zebra"), "knows no word"),
        (lambda tools: tools.find("red", "0.jpg"), "no folder '0.jpg'"),
        (lambda tools: PhotoTools(["/nowhere"], "shapes"), "no folder '/nowhere'"),
    ],
)
def test_a_mistake_is_named(tools, ask, sentence):
    with pytest.raises(CaptioningError, match=sentence):
        ask(tools)


def test_a_folder_with_too_many_photos_is_refused(tools, monkeypatch):
    monkeypatch.setattr("captioning.cli.mcp.MOST_PHOTOS", 11)
    with pytest.raises(ImageError, match="12 photos in '.', more than the 11"):
        tools.find("a red circle")


@pytest.mark.slow
@pytest.mark.process
def test_an_agent_talks_to_the_command(folder):
    from mcp import Client, StdioServerParameters, stdio_client

    command = ["-m", "captioning", "mcp", str(folder), "--model", "shapes"]

    async def talk():
        server = StdioServerParameters(command=sys.executable, args=command)
        async with Client(stdio_client(server)) as agent:
            tools = (await agent.list_tools()).tools
            answer = await agent.call_tool("caption", {"path": "0.jpg"})
            refusal = await agent.call_tool("caption", {"path": "/etc/passwd"})
            return tools, answer, refusal

    tools, answer, refusal = asyncio.run(talk())
    assert {tool.name for tool in tools} == {"caption", "find", "describe_folder"}
    assert all("The answer" in tool.description for tool in tools)
    assert answer.structured_content["sentence"].endswith(".")
    assert refusal.is_error
    assert "outside the folders" in refusal.content[0].text


def test_the_missing_package_is_named(folder, monkeypatch):
    assert find_spec("mcp")
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    monkeypatch.setitem(sys.modules, "mcp", None)
    from captioning.cli.mcp import make_server

    with pytest.raises(ConfigError, match=r"captioning\[mcp\]"):
        make_server(PhotoTools([folder], "shapes"))
