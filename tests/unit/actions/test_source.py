"""Sources named by a path, in the open folders alone, and by an address, on public networks unless private ones are allowed."""

from pathlib import Path

import pytest

from app.actions.source import open_path, open_url
from app.domain.errors import UnsupportedSource
from app.domain.media import SourceKind, SourceRef


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """An open folder, beside one that is not."""
    folder = tmp_path / "open"
    folder.mkdir()
    (tmp_path / "opener").mkdir()
    (tmp_path / "opener" / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def test_a_file_and_a_folder_inside_are_sources(opened: Path) -> None:
    file = open_path(str(opened / "a.png"), [opened])
    assert (file.kind, file.name, file.path, file.size_bytes, file.upload) == (
        SourceKind.IMAGE, "a.png", str(opened / "a.png"), 8, False,
    )  # fmt: skip
    folder = open_path(str(opened), [opened])
    assert (folder.kind, folder.path, folder.size_bytes) == (SourceKind.FOLDER, str(opened), None)


def test_a_link_within_the_open_folders_is_followed(opened: Path) -> None:
    (opened / "link.png").symlink_to(opened / "a.png")
    assert open_path(str(opened / "link.png"), [opened]).path == str(opened / "a.png")


def test_what_leads_outside_is_refused_the_same_whether_it_is_there_or_not(opened: Path) -> None:
    outside = opened.parent / "opener"
    (opened / "out").symlink_to(outside)
    there = [
        opened / "out" / "secret.png",
        opened / ".." / "opener" / "secret.png",
        outside / "secret.png",
        Path("/etc/passwd"),
    ]
    missing = [opened / "out" / "none.png", opened / ".." / "opener" / "none.png", Path("/etc/none")]
    for path in (*there, *missing):
        with pytest.raises(UnsupportedSource, match="in none of the folders of SIGHTLINE_SOURCE_ROOTS"):
            open_path(str(path), [opened])


@pytest.mark.parametrize(
    ("name", "words"), [("none.png", "no such file or folder"), ("\0.png", "absolute path"), ("loop", "lead")], ids=str
)
def test_what_is_no_file_is_refused(opened: Path, name: str, words: str) -> None:
    (opened / "loop").symlink_to(opened / "loop")
    with pytest.raises(UnsupportedSource) as caught:
        open_path(f"{opened}/{name}", [opened])
    assert words in str(caught.value) or "no such file" in str(caught.value)


def test_a_relative_path_and_a_server_without_open_folders_are_refused(opened: Path) -> None:
    with pytest.raises(UnsupportedSource, match="absolute path"):
        open_path("a.png", [opened])
    with pytest.raises(UnsupportedSource, match="SIGHTLINE_SOURCE_ROOTS names them"):
        open_path(str(opened / "a.png"), [])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8000/v1/jobs",
        "http://2130706433/",
        "http://0/",
        "rtsp://10.1.2.3/stream",
        "rtsp://192.168.0.10:554/stream",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00::1]/",
        "http://[fe80::1]/",
        "udp://239.1.2.3:5000",
        "udp://:5000",
        "https://8.8.8.8/live/index.m3u8",
    ],
)
def test_an_address_that_leads_into_a_private_network_is_refused_unless_that_is_allowed(url: str) -> None:
    with pytest.raises(UnsupportedSource, match="SIGHTLINE_ALLOW_PRIVATE_SOURCES=true allows"):
        open_url(url, allow_private=False)
    assert open_url(url, allow_private=True).url == url


def test_a_public_address_is_taken_without_connecting_to_it() -> None:
    source = open_url(" https://user:word@8.8.8.8:1/clip.mp4?key=1 ", allow_private=False)
    assert source == SourceRef(
        SourceKind.STREAM, "https://***@8.8.8.8:1/clip.mp4?key=***", None, url="https://user:word@8.8.8.8:1/clip.mp4?key=1"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "such as rtsp"),
        ("camera/1", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("concat:http://a|http://b", "begins with http"),
        ("http:/one.example/x", "begins with http"),
        ("http://", "names no host"),
        ("http://one.example:port/", "such as rtsp"),
        ("http://one.example/a b", "without blanks"),
        ("rtsp://user:secret/x@one.example/1", "%2F"),
        ("gopher://user:secret@one.example/1", "begins with http"),
    ],
)
def test_what_is_no_address_is_refused_and_its_password_not_repeated(url: str, words: str) -> None:
    with pytest.raises(UnsupportedSource) as caught:
        open_url(url, allow_private=True)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
