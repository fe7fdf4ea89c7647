"""Addresses as sources: which are taken, and how one is shown without the credentials in it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from app.domain.errors import UnsupportedSource

SCHEMES: Final = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "udp": 0, "srt": 0}
FILES: Final = frozenset({"http", "https"})  # schemes at which a file with an end may lie
_HIDDEN: Final = "***"
_USER: Final = re.compile(r"(?<=//)[^/?#]*@")
_ANY_USER: Final = re.compile(r"(?<=:)/*.*@")  # of what is no address: whatever may be meant as a password
_SECRET: Final = re.compile(
    r"(?i)((?:^|[?&;])[^=&;?]*(?:pass|pwd|token|key|secret|auth|sig|user|usr|login|cred|session)[^=&;?]*=)[^&;#]*"
)
_PLAIN: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """An address that can be read: `host` is empty where this machine is to listen, `url` may hold credentials."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """The address as it may be shown."""
        return mask(self.url)


def read_address(url: str) -> Address:
    """Read an address; raise UnsupportedSource where it is none, or of a kind that is not read."""
    url = url.strip()
    if not _PLAIN.fullmatch(url):
        raise _refused(url, "expected an address without blanks and signs beyond ASCII, such as rtsp://camera/stream")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(
            url, "expected an address such as rtsp://camera/stream; signs like @ and / in a password want %40 and %2F"
        ) from None
    known = SCHEMES.get(parts.scheme)
    if known is None or "://" not in url:
        raise _refused(url, f"expected an address that begins with {', '.join(SCHEMES)}")
    if not host and known:
        raise _refused(url, "it names no host")
    return Address(url, parts.scheme, host, known if port is None else port)


def mask(url: str) -> str:
    """Hide what is secret in an address: who signs in, and what its query calls a password, a token or the like."""
    path, mark, query = _USER.sub(f"{_HIDDEN}@", url).partition("?")
    return path + mark + _SECRET.sub(rf"\g<1>{_HIDDEN}", mark + query)[len(mark) :]


def _refused(url: str, reason: str) -> UnsupportedSource:
    return UnsupportedSource(name=_ANY_USER.sub(f"//{_HIDDEN}@", mask(url))[:200] or "an empty address", reason=reason)
