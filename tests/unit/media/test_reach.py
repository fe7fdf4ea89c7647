"""Where an address leads, step by step, and what a decoder is given of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.address import read_address
from app.domain.errors import UnsupportedSource
from app.media.reach import follow, pinned
from tests.camera import Camera


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Camera]:
    camera = Camera(tmp_path)
    yield camera
    camera.close()


def test_an_address_that_leads_on_into_a_private_network_is_refused_there(camera: Camera) -> None:
    with pytest.raises(
        UnsupportedSource, match=r"clip\.mp4 cannot be used as a source: it leads to 127\.0\.0\.1, on a private"
    ):
        follow(read_address(f"{camera.url}/moved"), "127.0.0.1")  # as if that were the public address it began with


def test_an_address_that_leads_nowhere_else_stays_as_it_is(camera: Camera) -> None:
    address = read_address(f"{camera.url}/nothing")
    assert follow(address, "127.0.0.1") == (address, "127.0.0.1")


def test_a_web_address_is_read_from_the_ip_that_was_checked_and_its_host_is_still_named() -> None:
    address, options = pinned(read_address("http://user:word@one.example:81/a?b=c"), "8.8.8.8")
    assert (address.url, options) == ("http://user:word@8.8.8.8:81/a?b=c", {"headers": "Host: one.example:81\r\n"})
    address, _ = pinned(read_address("http://one.example/a"), "2001:db8::1")
    assert address.url == "http://[2001:db8::1]:80/a"
    secure = read_address("https://one.example/a")
    assert pinned(secure, "8.8.8.8") == (secure, {})
