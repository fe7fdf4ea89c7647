"""Uploads and outputs on disk."""

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from app.domain.errors import UploadTooLarge
from app.domain.job import RowsPlace
from app.media.storage import Storage, StoredUpload, clean_name


def files(home: Path) -> list[str]:
    """Names of all files under a folder."""
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def store(storage: Storage, data: bytes, name: str = "clip.mp4") -> StoredUpload:
    upload = storage.new_upload(name, 1_000_000)
    upload.write(data)
    return upload.finish()


def test_an_upload_is_kept_under_its_hash(tmp_path: Path) -> None:
    upload = Storage(tmp_path).new_upload("My Clip.MP4", 1_000_000)
    for chunk in (b"abc", b"", b"def"):
        upload.write(chunk)
    stored = upload.finish()
    assert stored.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    assert (stored.name, stored.size_bytes, stored.path.read_bytes()) == ("My Clip.MP4", 6, b"abcdef")
    assert files(tmp_path) == [f"{stored.sha256}.mp4"]


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    first, second = store(storage, b"same", "a.mp4"), store(storage, b"same", "b.avi")
    assert first.path == second.path
    assert second.name == "b.avi"
    assert len(files(tmp_path)) == 1


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    upload = Storage(tmp_path).new_upload("big.mp4", 2_000_000)
    upload.write(bytes(2_000_000))
    with pytest.raises(UploadTooLarge, match="limit of 2 MB"):
        upload.write(b"x")
    upload.discard()
    assert files(tmp_path) == []


def test_a_discarded_upload_leaves_nothing(tmp_path: Path) -> None:
    upload = Storage(tmp_path).new_upload("clip.mp4", 100)
    upload.write(b"half")
    upload.discard()
    upload.discard()
    assert files(tmp_path) == []


def test_discarding_a_finished_upload_keeps_it(tmp_path: Path) -> None:
    upload = Storage(tmp_path).new_upload("clip.mp4", 100)
    upload.write(b"whole")
    stored = upload.finish()
    upload.discard()
    assert stored.path.read_bytes() == b"whole"


def test_no_room_on_the_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from app.domain.errors import DiskFull
from app.media.storage import Storage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
upload = Storage(Path({str(tmp_path)!r})).new_upload("clip.mp4", 10**9)
try:
    for _ in range(10):
        upload.write(bytes(50_000))
except DiskFull as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=here())
    assert done.stdout == "There is no room left to store clip.mp4: file too large.\n"
    assert files(tmp_path) == []


def here() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


def test_an_upload_is_never_whole_in_memory(tmp_path: Path) -> None:
    upload = Storage(tmp_path).new_upload("clip.mp4", 10**9)
    chunk = bytes(100_000)
    tracemalloc.start()
    for _ in range(300):
        upload.write(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    upload.discard()
    assert peak < 1_000_000


def test_the_sweep_takes_what_a_dead_process_left_and_nothing_else(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    kept = store(storage, b"kept")
    code = f"""
import os
from pathlib import Path
from app.media.storage import Storage
upload = Storage(Path({str(tmp_path)!r})).new_upload("clip.mp4", 10**9)
upload.write(b"half")
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=False, env=here())
    mine = storage.new_upload("mine.mp4", 100)
    mine.write(b"still coming")
    assert len(files(tmp_path)) == 3
    storage.sweep()
    assert len(files(tmp_path)) == 2
    assert mine.finish().path.read_bytes() == b"still coming"
    assert kept.path.exists()


def test_the_sweep_takes_outputs_that_nobody_writes_any_more(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    folder = storage.outputs_folder("job1")
    folder.mkdir(parents=True)
    for name in ("00000000-1.ndjson", "00000001-1.ndjson.part", "00000002-1.ndjson.part"):
        (folder / name).write_text("{}\n")
    os.utime(folder / "00000001-1.ndjson.part", (0, 0))
    storage.sweep()
    assert files(tmp_path) == ["00000000-1.ndjson", "00000002-1.ndjson.part"]


def test_the_sweep_of_an_empty_home_does_nothing(tmp_path: Path) -> None:
    Storage(tmp_path / "new").sweep()
    assert files(tmp_path) == []


def test_an_upload_is_deleted_by_its_hash(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    stored = store(storage, b"bytes")
    storage.delete_upload(stored.sha256)
    storage.delete_upload(stored.sha256)
    assert files(tmp_path) == []
    with pytest.raises(ValueError, match="no SHA-256"):
        storage.delete_upload("*")


def test_outputs_are_deleted_whole(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.outputs_folder("job1").mkdir(parents=True)
    (storage.outputs_folder("job1") / "log.txt").write_text("x")
    storage.delete_outputs("job1")
    storage.delete_outputs("job1")
    assert files(tmp_path) == []


@pytest.mark.parametrize("job_id", ["..", "a/b", "", "a\0"])
def test_a_jobs_folder_lies_under_outputs(tmp_path: Path, job_id: str) -> None:
    with pytest.raises(ValueError, match="no job's id"):
        Storage(tmp_path).outputs_folder(job_id)


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (0, None, range(10)),
        (0, 10, range(10)),
        (3, 7, range(3, 7)),
        (4, 8, range(4, 8)),
        (9, 99, range(9, 10)),
        (5, 5, range(0)),
    ],
)
def test_rows_of_a_range_are_read_in_frame_order(tmp_path: Path, start: int, end: int | None, wanted: range) -> None:
    storage = Storage(tmp_path)
    folder = storage.outputs_folder("job1")
    folder.mkdir(parents=True)
    places = []
    for first, after in ((0, 4), (4, 8), (8, 10)):
        rows = [{"frame_index": n, "outputs": {"a": {"frame_index": 99}}} for n in range(first, after)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{first}.ndjson").write_text(f"another's\n{text}others'\n" if first == 4 else text)
        place = RowsPlace("4.ndjson", len("another's\n"), len(text)) if first == 4 else RowsPlace(f"{first}.ndjson")
        places.append((place, first, after))
    lines = list(storage.read_rows("job1", places, start, end))
    assert [json.loads(line)["frame_index"] for line in lines] == list(wanted)
    assert all(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\my clip.avi", "my clip.avi"),
        ("/", "upload"),
        ("..", "upload"),
        (".hidden.mp4", "hidden.mp4"),
        ("a\nb\0c\x1b[31m.mp4", "abc[31m.mp4"),
        ("e\u0301te\u0301.mp4", "\u00e9t\u00e9.mp4"),
        ("\u202eevil.mp4", "evil.mp4"),
        ("x" * 300 + ".mp4", "x" * 116 + ".mp4"),
        ("", "upload"),
    ],
)
def test_a_path_like_name_becomes_a_name_safe_to_show(given: str, shown: str) -> None:
    assert clean_name(given) == shown


def test_a_strange_suffix_does_not_reach_the_disk(tmp_path: Path) -> None:
    stored = store(Storage(tmp_path), b"x", "clip.m p;4")
    assert stored.path.name == stored.sha256
