"""Captions and features by Ray: from a folder and from an S3 server, resumed, with faults."""

import json
import os
import shutil
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from pyarrow import fs, parquet

from captioning.__main__ import main
from captioning.batch import caption_album, open_album
from captioning.batch.bucket import Bucket
from captioning.errors import ImageError, StorageError
from captioning.images import read_image

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    # Importing them takes seconds, which only the tests that start them need.
    pytest.mark.skipif(not find_spec("ray"), reason="needs Ray: pip install 'captioning[ray]'"),
    pytest.mark.skipif(
        not find_spec("moto"), reason="needs moto: pip install -r requirements-dev.txt"
    ),
]


@pytest.fixture
def store(monkeypatch):
    """The address of an empty bucket on an S3 server of its own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # The server imports what it needs with the first request, which takes long on busy cores.
    first = {"allow_bucket_creation": True, "request_timeout": 300}
    files = fs.S3FileSystem(endpoint_override=f"{host}:{port}", scheme="http", **first)
    files.create_dir("photos")
    yield "s3://photos"
    server.stop()


@pytest.fixture
def killed_once(monkeypatch, tmp_path):
    """Start Ray with two cores and the faults of `ray_faults`; returns a file that one leaves."""
    import ray

    monkeypatch.setenv("KILLED_ONCE", str(tmp_path / "killed"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the workers find ray_faults
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_agent_register_timeout_ms", "300000")
    hook = {"worker_process_setup_hook": "ray_faults.install"}
    for attempts_left in (4, 3, 2, 1, 0):
        try:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=hook)
            break
        except Exception as error:  # Ray gives its own parts 30 s, too little on busy cores
            ray.shutdown()
            if not attempts_left:
                pytest.skip(f"Ray does not start on this machine: {error}")
    yield tmp_path / "killed"
    ray.shutdown()


@pytest.fixture(scope="module")
def photos(shapes, tmp_path_factory):
    """Twenty photos in two folders, a text that is named like one, and a hidden one."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "a").mkdir()
    for number, photo in enumerate(shapes.photos[:20]):
        name = f"a/{number:02}.png" if number % 2 else f"{number:02}.png"
        shutil.copy(shapes.path(photo), folder / name)
    (folder / "a" / "text.jpg").write_text("not a photo")
    shutil.copy(shapes.path(shapes.photos[0]), folder / ".hidden.png")
    return folder


@pytest.fixture
def run(tiny_bundle, capsys):
    """Run a command with `--engine ray` and shards of eight; returns status and stderr."""

    def command(name, source, out, *options):
        arguments = [name, source, "--engine", "ray", "--out", out, "--model", tiny_bundle.folder]
        status = main([str(a) for a in (*arguments, "--shard-size", 5, *options)])
        return status, capsys.readouterr().err

    return command


@pytest.fixture
def without_ray(monkeypatch):
    """Let one worker in this process do all shards."""
    from captioning.batch.cluster import ClusterRun, Shard, Worker

    def shards(self, workers=None):
        worker = Worker(self._job, self._source.address, self._out.address)
        for name in self.left:
            found = worker({"item": np.array([name])})
            yield Shard(**{field: values[0] for field, values in found.items()})

    monkeypatch.setattr(ClusterRun, "shards", shards)


def rows_of(address):
    files, path = fs.FileSystem.from_uri(str(address))
    return parquet.read_table(path, filesystem=files)


def without_time(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def expected_rows(captioner, photos):
    rows = caption_album(captioner, open_album(photos))
    return without_time([row.to_dict() for row in rows])


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.filterwarnings("ignore")
def test_captions_by_ray_are_those_of_one_process(
    killed_once, run, photos, tmp_path, tiny_captioner
):
    """A worker dies at the last photo, and another does its shard again."""
    folder, out = shutil.copytree(photos, tmp_path / "photos"), tmp_path / "captions"
    shutil.copy(photos / "00.png", folder / "z-deadly.png")
    status, message = run("caption", folder, out)
    assert killed_once.exists()
    assert status == 1 and "22 of 22 photos are done, 0 of them before; 1 could not" in message
    rows = rows_of(out).to_pylist()
    assert without_time(rows) == expected_rows(tiny_captioner, folder)
    assert [row["photo"] for row in rows if "is not a picture" in row["error"]] == ["a/text.jpg"]
    assert sorted(path.stem for path in out.glob("*.parquet")) == ["000000", "000001", "000002"]


def test_finished_shards_are_skipped(without_ray, run, photos, tmp_path):
    out = tmp_path / "captions"
    run("caption", photos, out)
    first, second, third = files = [out / f"{number:06}.parquet" for number in range(3)]
    written = [path.stat().st_mtime_ns for path in files]
    second.unlink()
    _, message = run("caption", photos, out)
    assert "21 of 21 photos are done, 13 of them before" in message
    assert parquet.read_table(second).num_rows == 8
    assert [first.stat().st_mtime_ns, third.stat().st_mtime_ns] == [written[0], written[2]]
    status, message = run("caption", photos, out)
    assert status == 0 and "21 of 21 photos are done, 21 of them before" in message


def test_a_store_that_does_not_answer_leaves_its_shard_for_later(
    without_ray, run, photos, tmp_path, monkeypatch
):
    read, out = Bucket.read, tmp_path / "captions"

    def faulty(self, name, *limits):
        if name == "a/05.png":
            raise OSError("the store does not answer")
        return read(self, name, *limits)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "read", faulty)
        status, message = run("caption", photos, out)
    assert status == 1 and "13 of 21 photos are done" in message
    assert "000001 is unfinished: the store does not answer" in message
    assert not (out / "000001.parquet").exists()
    _, message = run("caption", photos, out)
    assert "21 of 21 photos are done, 13 of them before" in message


def test_from_s3_to_s3(without_ray, store, run, photos, tiny_captioner):
    bucket = Bucket(f"{store}/album")
    for path in photos.rglob("*.*"):
        bucket.write(str(path.relative_to(photos)), path.read_bytes())
    _, message = run("caption", f"{store}/album", f"{store}/captions")
    assert "21 of 21 photos are done" in message
    rows = rows_of(f"{store}/captions").to_pylist()
    assert without_time(rows) == expected_rows(tiny_captioner, photos)
    with pytest.raises(ImageError, match=f"{store}/nowhere"):
        list(Bucket(f"{store}/nowhere").photos())


def test_features_are_those_of_the_encoder(without_ray, run, photos, tmp_path, tiny_captioner):
    run("features", photos, tmp_path / "features")
    table = rows_of(tmp_path / "features")
    by_photo = {row["photo"]: row for row in table.to_pylist()}
    assert len(by_photo) == 21 and by_photo["a/text.jpg"]["features"] is None
    assert "is not a picture" in by_photo["a/text.jpg"]["error"]
    shape = json.loads(table.schema.metadata[b"shape"])
    expected = tiny_captioner.encode([read_image(photos / "a" / "01.png")])[0]
    found = np.reshape(by_photo["a/01.png"]["features"], shape)
    np.testing.assert_array_equal(np.float16(found), expected.astype(np.float16))


@pytest.fixture
def prepared(tiny_bundle, tmp_path):
    """Begin a run without a worker."""
    from captioning.batch.cluster import CaptionJob, ClusterRun

    def begin(source, **changes):
        decoding = tiny_bundle.decoding.replace(**changes)
        job = CaptionJob(str(tiny_bundle.folder), tiny_bundle.version, decoding)
        return ClusterRun(job, str(source), str(tmp_path / "out"), shard_size=8)

    return begin


def test_results_of_other_settings_are_not_mixed(prepared, photos):
    assert prepared(photos).left == prepared(photos).left == ["000000", "000001", "000002"]
    for source, changes in ((photos, {"beam_width": 7}), (photos / "a", {})):
        with pytest.raises(StorageError, match="other photos or settings"):
            prepared(source, **changes)


def test_a_folder_without_photos_is_named(prepared, tmp_path):
    (tmp_path / "empty").mkdir()
    for address in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(ImageError, match=str(address)):
            prepared(address)
    with pytest.raises(StorageError, match="nothing://a"):
        prepared("nothing://a")


@pytest.mark.parametrize(
    "options",
    [
        "caption a b --engine ray --out c",
        "caption a --engine ray",
        "caption a --workers 2",
        "caption a --engine ray --out b --shard-size 0",
        "features --engine ray --encoder xception --out b",
        "features a --engine ray --out b",
        "features a --encoder xception --data b",
    ],
)
def test_options_that_do_not_fit_together(options):
    with pytest.raises(SystemExit) as end:
        main(options.split())
    assert end.value.code == 2


def test_what_needs_ray_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr("captioning.cli.cluster.find_spec", lambda name: None)
    assert main("caption a --engine ray --out b".split()) == 1
    assert "pip install 'captioning[ray]'" in capsys.readouterr().err
