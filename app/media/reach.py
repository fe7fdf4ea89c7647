"""Whether an address may be reached from here: looked up, and refused where it leads to a private network unseen."""

import socket
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from app.domain.address import FILES, Address, read_address
from app.domain.errors import UnsupportedSource

if TYPE_CHECKING:
    import ssl

_SETTING: Final = "SIGHTLINE_ALLOW_PRIVATE_SOURCES"
_NAT64: Final = ip_network("64:ff9b::/96")
_PLAYLISTS: Final = (".m3u8", ".m3u", ".mpd", ".sdp")
_MOST_HOPS: Final = 5
_HEAD_S: Final = 10.0


def check_address(address: Address, *, allow_private: bool) -> str | None:
    """Look an address up without connecting to it; give the IP to connect to, None where whatever answers may be taken.

    Raises UnsupportedSource where it may not be read from here or its host has no address, OSError where that cannot be found
    out now. Where it is read over TLS, or led on from, only what was looked up is checked.
    """
    if allow_private:
        return None
    if not address.host:
        raise _refused(address, f"it has this machine listen, which {_SETTING}=true allows")
    if urlsplit(address.url).path.lower().endswith(_PLAYLISTS):
        raise _refused(address, f"a playlist leads to addresses that cannot be checked; {_SETTING}=true allows it")
    found = look_up(address)
    for ip in found:
        if not _is_public(ip):
            raise _refused(
                address, f"it leads to {ip}, on a private network or this machine itself; {_SETTING}=true allows such addresses"
            )
    return str(found[0])


def look_up(address: Address) -> list[IPv4Address | IPv6Address]:
    """Give the IPs of an address's host; raise UnsupportedSource where it has none, OSError where nobody can say now."""
    try:
        found = socket.getaddrinfo(address.host, address.port or None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise _refused(address, f"{address.host} is no name of a host") from None
    except socket.gaierror as error:
        if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}:
            raise _refused(address, f"there is no host {address.host}") from None
        raise OSError(f"the host {address.host} cannot be looked up now") from None
    return [ip_address(str(info[4][0]).partition("%")[0]) for info in found]


def follow(address: Address, ip: str) -> tuple[Address, str]:
    """Go where a web address leads on to, each step checked; give the last address with the IP to connect to.

    Raises UnsupportedSource, and OSError where somebody on the way does not answer.
    """
    for _ in range(_MOST_HOPS):
        if address.scheme not in FILES:
            break
        onward = _led_on_to(address, ip)
        if onward is None:
            break
        address = read_address(urljoin(address.url, onward))
        ip = check_address(address, allow_private=False) or ""
    return address, ip


def pinned(address: Address, ip: str) -> tuple[Address, dict[str, str]]:
    """Give a web address with its host's IP in it, and the header that still names the host; over TLS it stays as it is."""
    if address.scheme != "http":
        return address, {}
    parts = urlsplit(address.url)
    user, at, host = parts.netloc.rpartition("@")
    there = f"[{ip}]" if ":" in ip else ip
    url = parts._replace(netloc=f"{user}{at}{there}:{address.port}").geturl()
    return replace(address, url=url), {"headers": f"Host: {host}\r\n"}


def _led_on_to(address: Address, ip: str) -> str | None:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415  # workers seldom need it, and start without it

    parts = urlsplit(address.url)
    connection = HTTPConnection(address.host, address.port, timeout=_HEAD_S)
    with closing(connection):
        plain = socket.create_connection((ip, address.port), _HEAD_S)
        secure = address.scheme == "https"
        connection.sock = _unchecked_tls().wrap_socket(plain, server_hostname=address.host) if secure else plain
        try:
            connection.request("GET", parts._replace(scheme="", netloc="", fragment="").geturl() or "/")
            answer = connection.getresponse()
        except HTTPException:
            return None  # not a web server as they should be; the decoder may still make sense of it
        return answer.getheader("Location") if 300 <= answer.status < 400 else None


def _unchecked_tls() -> "ssl.SSLContext":
    """TLS as the decoder does it: whoever answers is taken at its word."""
    import ssl  # noqa: PLC0415  # workers seldom need it, and start without it

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    inner: list[IPv4Address | IPv6Address] = [ip]
    if isinstance(ip, IPv6Address):
        inner += [found for found in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if found is not None]
        inner += [IPv4Address(int(ip) & 0xFFFFFFFF)] if ip in _NAT64 else []
    return all(one.is_global and not one.is_multicast for one in inner if one is ip or isinstance(one, IPv4Address))


def _refused(address: Address, reason: str) -> UnsupportedSource:
    return UnsupportedSource(name=address.shown, reason=reason)
