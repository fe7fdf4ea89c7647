"""The database's address, as a person writes it: read, completed, and refused in a sentence."""

from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.domain.errors import NotReady

_EXPECTED: Final = "expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
_POSTGRES: Final = {"postgres", "postgresql"}
_HEARD_OF_S: Final = 30  # a Postgres behind a cut line is given up after so long, instead of after a quarter of an hour


def read_address(text: str) -> URL:
    """Read a database's address; raise NotReady where it is none, or of a kind or driver that is not here."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise NotReady.because(f"the address of the database cannot be read; {_EXPECTED}") from None
    backend = url.get_backend_name()
    if backend in _POSTGRES:
        if find_spec("psycopg") is None:
            raise NotReady.because("Postgres needs its driver; install it with pip install 'sightline[postgres]'")
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise NotReady.because(f"{backend!r} is no database that Sightline can use; {_EXPECTED}")
    if not url.database or url.database == ":memory:":
        raise NotReady.because("the database must be a file, since several processes share it")
    return url


def connect_arguments(url: URL) -> dict[str, Any]:
    """What a connection to Postgres is made with where the address does not say otherwise: libpq's parameters."""
    usual = {
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": _HEARD_OF_S * 1000,
    }
    return {name: value for name, value in usual.items() if name not in url.query}
