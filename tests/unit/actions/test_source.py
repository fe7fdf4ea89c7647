"""Sources named by a path: only in the open folders, links followed, and nothing told of what lies outside."""

from pathlib import Path

import pytest

from app.actions.source import open_path, open_url
from app.domain.errors import UnsupportedSource
from app.domain.media import SourceKind


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


def test_an_address_is_not_supported_yet() -> None:
    with pytest.raises(UnsupportedSource, match="not supported yet"):
        open_url("rtsp://camera.example/1")
