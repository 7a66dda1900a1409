"""What the HTTP API answers, and what it refuses."""

import asyncio
import io
import json
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from starlette.testclient import TestClient

from captioning.__main__ import main
from captioning.api import create_app, forms, server
from captioning.api.document import DOCUMENT
from captioning.api.limits import Doorkeeper
from captioning.api.service import Batcher, load_once
from captioning.bundle import read_bundle
from captioning.cli.serve import known_hosts
from captioning.config import DecodingConfig
from captioning.errors import BundleError, ConfigError

HOST = "http://localhost:8000"


def client_of(app):
    return TestClient(app, base_url=HOST, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client():
    return client_of(create_app(model="shapes", hosts=["localhost"]))


@pytest.fixture(scope="module")
def jpeg(photo):
    stream = io.BytesIO()
    photo.save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def captioner():
    return load_once(read_bundle("shapes"))


def refused(response, status, kind):
    """Check an error's form, and return its sentence."""
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert response.json()["error"]["type"] == kind
    return response.json()["error"]["message"]


def test_predict_has_the_form_of_the_model_asset_exchange(client, jpeg, captioner):
    content = client.post("/model/predict", files={"image": jpeg}).json()
    expected = captioner.caption(jpeg)
    first, *others = content["predictions"]
    assert content["status"] == "ok"
    assert first["index"] == "0"
    assert first["caption"] == expected.text
    assert first["probability"] == pytest.approx(np.exp(expected.log_prob), rel=1e-4)
    assert [other["caption"] for other in others] == [a.caption for a in expected.alternatives]
    assert [other["index"] for other in others] == ["1", "2"]
    assert content["confidence"] == pytest.approx(expected.confidence, rel=1e-4)
    assert content["doubtful"] is expected.doubtful


def test_caption_has_all_that_is_known(client, jpeg, captioner):
    content = client.post("/v1/caption", files={"image": jpeg}).json()
    expected = captioner.caption(jpeg)
    assert content["caption"] == expected.text
    assert content["sentence"] == expected.sentence
    assert content["level"] == expected.level
    assert content["familiar"] is expected.familiar
    assert content["doubtful"] is expected.doubtful
    assert content["kind"] == expected.kind
    assert content["model"] == {"name": "shapes", "version": read_bundle("shapes").version}
    assert content["decoding"] == {**expected.decoding.to_dict()}
    words = [(word["word"], word["probability"]) for word in content["words"]]
    assert [word for word, _ in words] == [word.word for word in expected.words]
    assert [p for _, p in words] == pytest.approx(
        [float(np.exp(word.log_prob)) for word in expected.words], rel=1e-3
    )


def test_options_steer_the_sentence(client, jpeg):
    options = {
        "model": "shapes",
        "beam_width": "5",
        "length_penalty": "1",
        "gender_certainty": "0.5",
        "detail_certainty": "1",
        "required_words": "Green",
        "banned_words": "left,right, zebra",
        "alternatives": "1",
    }
    content = client.post("/v1/caption", files={"image": jpeg}, data=options).json()
    words = content["caption"].split()
    assert "green" in words
    assert not {"left", "right"} & set(words)
    assert len(content["alternatives"]) == 1
    assert content["decoding"]["beam_width"] == 5
    assert content["decoding"]["length_penalty"] == 1.0
    assert content["decoding"]["gender_certainty"] == 0.5
    assert content["decoding"]["detail_certainty"] == 1.0
    assert len(content["sentence"].split()) < len(words)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"beam_width": "0"}, "beam_width must be at least 1"),
        ({"beam_width": "three"}, "must be a whole number"),
        ({"beam_width": ["3", "4"]}, "may be given once"),
        ({"length_penalty": "nan"}, "must be a number"),
        ({"alternatives": "-1"}, "must be 0 to 20"),
        ({"banned_words": "a" * 1001}, "at most 1000 characters"),
        ({"banned_words": "!"}, "takes words, got '!'"),
        ({"beams": "3"}, "There is no option 'beams'"),
        ({"required_words": "zebra"}, "does not know the word 'zebra'"),
        ({"model": "/etc"}, "There is no model '/etc'"),
    ],
)
def test_a_wrong_option_is_named(client, jpeg, options, sentence):
    response = client.post("/v1/caption", files={"image": jpeg}, data=options)
    assert sentence in refused(response, 422, "config_error")


def test_what_is_no_photo_is_refused(client, jpeg):
    response = client.post("/model/predict", files={"image": ("a.jpg", b"no photo")})
    assert "'a.jpg' is not a picture" in refused(response, 422, "image_error")
    response = client.post("/model/predict", files={"photo": jpeg})
    assert "'image'" in refused(response, 422, "image_error")
    refused(client.post("/model/predict", content=jpeg), 415, "unsupported_media_type")
    damaged = {"content-type": "multipart/form-data; boundary=b"}
    refused(client.post("/model/predict", content=b"?", headers=damaged), 400, "bad_request")


def test_a_body_of_many_small_pieces_reaches_the_parser_in_large_ones():
    pieces = [{"type": "http.request", "body": b"-" * 100, "more_body": True}] * 2_000
    pieces[-1] = {**pieces[-1], "more_body": False}
    arriving, passed = iter(pieces), []

    async def receive():
        return next(arriving)

    async def app(scope, receive, send):
        while not passed or passed[-1].get("more_body"):
            passed.append(await receive())

    keeper = Doorkeeper(app, hosts=[], origins=[], max_bytes=200_000)
    asyncio.run(keeper({"type": "http", "headers": []}, receive, None))
    assert b"".join(message["body"] for message in passed) == b"-" * 200_000
    assert len(passed) <= 4


def test_a_long_request_is_refused(client, jpeg, monkeypatch):
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1000)
    small = client_of(create_app(model="shapes"))
    photo = {"image": jpeg + b"\0" * 1000}
    assert "MB accepted" in refused(
        small.post("/model/predict", files=photo), 413, "content_too_large"
    )
    chunks = iter([b"-" * 600, b"-" * 600])  # without a length
    form = {"content-type": "multipart/form-data; boundary=b"}
    refused(small.post("/model/predict", content=chunks, headers=form), 413, "content_too_large")


def test_another_name_or_website_does_not_lead_here(client, jpeg):
    refused(client.get("/health", headers={"host": "evil.example"}), 400, "unknown_host")
    for origin in ("http://evil.example", "null", "http://localhost:9000", "http://["):
        response = client.post("/model/predict", files={"image": jpeg}, headers={"origin": origin})
        refused(response, 403, "forbidden")
    response = client.get("/health", headers={"origin": HOST})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


def test_a_website_may_be_admitted():
    admitting = client_of(create_app(model="shapes", origins=["https://a.example"]))
    response = admitting.get("/health", headers={"origin": "https://a.example"})
    assert response.headers["access-control-allow-origin"] == "https://a.example"
    refused(admitting.get("/health", headers={"origin": "https://b.example"}), 403, "forbidden")


def test_other_addresses_and_methods_are_refused_in_json(client):
    refused(client.get("/nothing"), 404, "not_found")
    response = client.get("/v1/caption")
    refused(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_too_many_requests_at_once_are_refused(jpeg):
    for limits, status, kind in [
        ({"most_per_client": 1}, 429, "too_many_requests"),
        ({"most": 1}, 503, "service_unavailable"),
    ]:
        loading, go_on = threading.Event(), threading.Event()

        def load(bundle, loading=loading, go_on=go_on):
            loading.set()
            go_on.wait(60)
            return load_once(bundle)

        client = client_of(create_app(model="shapes", load=load, **limits))
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, "/model/predict", files={"image": jpeg})
            loading.wait(60)
            response = client.post("/model/predict", files={"image": jpeg})
            go_on.set()
            assert first.result().status_code == 200
        refused(response, status, kind)
        assert response.headers["retry-after"] == "1"
        assert client.post("/model/predict", files={"image": jpeg}).status_code == 200


def test_a_slow_request_is_ended(monkeypatch):
    monkeypatch.setattr(server, "UPLOAD_SECONDS", 0.01)
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=b")]
    scope = {"type": "http", "method": "POST", "path": "/v1/caption", "headers": headers}
    asyncio.run(create_app(model="shapes")({**scope, "query_string": b""}, receive, send))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["type"] == "request_timeout"


def test_an_error_shows_nothing_of_the_server(jpeg, monkeypatch, tmp_path):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))

    def damaged(bundle):
        raise BundleError(f"{tmp_path}/models/mine/config.json is damaged.")

    def broken(bundle):
        raise ZeroDivisionError("secret")

    for load, status, kind, sentence in [
        (damaged, 503, "bundle_error", "data/models/mine/config.json is damaged."),
        (broken, 500, "internal_error", "Something went wrong on the server."),
    ]:
        client = client_of(create_app(model="shapes", load=load))
        response = client.post("/model/predict", files={"image": jpeg})
        assert refused(response, status, kind) == sentence


def test_health_names_the_model(client):
    assert client.get("/health").json()["model"] == "shapes"


def test_models_are_listed(client):
    listed = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert [name for name, model in listed.items() if model["default"]] == ["shapes"]
    bundle = read_bundle("shapes")
    assert listed["shapes"]["version"] == bundle.version
    assert listed["shapes"]["words"] == len(bundle.vocabulary)
    assert listed["shapes"]["encoder"] == "compact"


def test_the_page_describes_every_route_and_loads_nothing(client):
    response = client.get("/docs")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"{HOST}{path}</pre>" in response.text
    assert not re.search(r"<(script|link|img)|src=|url\(", response.text)
    assert "alternatives[].probability" in response.text


def test_the_document_and_the_fields_of_the_form_agree():
    form = DOCUMENT["paths"]["/v1/caption"]["post"]["requestBody"]["content"]
    assert set(form["multipart/form-data"]["schema"]["properties"]) == {"image", *forms.OPTIONS}
    assert set(DOCUMENT["paths"]) == {route.path for route in create_app().routes}


@pytest.mark.slow
def test_schemathesis_finds_nothing():
    from tests.fuzz.api import findings

    failures, requests = findings(examples=5)
    assert failures == []
    assert requests > 50


class Recorder:
    """A captioner that notes how many photos come at once, and waits before the first."""

    def __init__(self, captioner):
        self.captioner, self.batches = captioner, []
        self.busy, self.go_on = threading.Event(), threading.Event()

    def encode_squares(self, pixels):
        self.batches.append(len(pixels))
        self.busy.set()
        self.go_on.wait(60)
        return self.captioner.encode_squares(pixels)

    def describe(self, features, decoding):
        return self.captioner.describe(features, decoding)


def test_requests_that_wait_are_captioned_together(captioner):
    recorder, batcher = Recorder(captioner), Batcher(size=4)
    size = captioner.encoder.config.input_size
    photos = np.random.default_rng(0).integers(0, 256, (6, size, size, 3), np.uint8)
    ways = [DecodingConfig(), DecodingConfig(required_words=("unknown",)), DecodingConfig()]
    first = batcher.submit(recorder, photos[0], ways[0])
    recorder.busy.wait(60)
    others = [batcher.submit(recorder, photos[n], ways[n % 3]) for n in range(1, 6)]
    recorder.go_on.set()
    results = [first, *others]
    for number in (1, 4):  # one request's fault is not the others'
        with pytest.raises(ConfigError, match="unknown"):
            results[number].result(60)
    for number in (0, 2, 3, 5):
        alone = captioner.describe(captioner.encode_squares(photos[number][None]))[0]
        assert results[number].result(60).text == alone.text
    assert recorder.batches == [1, 4, 1]


def test_the_names_of_a_server():
    assert known_hosts("127.0.0.1", []) == ["localhost", "127.0.0.1", "::1", "127.0.0.1"]
    assert known_hosts("10.0.0.7", ["captions.example"])[-2:] == ["10.0.0.7", "captions.example"]
    assert "0.0.0.0" not in known_hosts("0.0.0.0", [])


@pytest.fixture
def started(monkeypatch):
    """What `captioning serve` hands to uvicorn."""
    calls = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: calls.append((app, options)))
    return calls


def test_the_command_serves_this_computer_unless_asked(started, capsys):
    assert main(["serve", "--model", "shapes"]) == 0
    assert "Captions by shapes on http://127.0.0.1:8000" in capsys.readouterr().out
    app, options = started[0]
    assert (options["host"], options["port"]) == ("127.0.0.1", 8000)
    for name, status in [("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("evil.example", 400)]:
        assert client_of(app).get("/health", headers={"host": name}).status_code == status


def test_the_command_takes_a_folder_and_a_request_does_not(started, tmp_path, jpeg):
    shutil.copytree(read_bundle("shapes").folder, tmp_path / "mine")
    assert main(["serve", "--model", str(tmp_path / "mine")]) == 0
    client = client_of(started[0][0])
    assert client.get("/health").json()["model"] == "mine"
    content = client.post("/v1/caption", files={"image": jpeg}).json()
    assert content["model"]["name"] == "mine"
    folder = {"model": str(tmp_path / "mine")}
    refused(client.post("/v1/caption", files={"image": jpeg}, data=folder), 422, "config_error")


def test_the_command_names_what_is_missing(started, monkeypatch, capsys):
    assert main(["serve", "--model", "none"]) == 1
    assert "There is no model called 'none'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 1
    assert "pip install 'captioning[api]'" in capsys.readouterr().err
    assert not started


@pytest.mark.slow
@pytest.mark.process
def test_captioning_over_http_needs_no_tensorflow(tmp_path, jpeg):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg)
    code = f"""
import sys
from starlette.testclient import TestClient
from captioning.api import create_app
client = TestClient(create_app(), base_url="{HOST}")
with open({str(photo)!r}, "rb") as file:
    assert client.post("/v1/caption", files={{"image": file}}).json()["caption"]
assert not {{"keras", "tensorflow", "streamlit"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_the_form_s_limits_are_those_of_photos():
    from captioning.images import MAX_BYTES

    assert MAX_BYTES < forms.MAX_BODY_BYTES < 1.01 * MAX_BYTES
