"""Static files: kept by browsers for ever under an address that names their content, asked for again without it."""

import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_APP = Path(__file__).parents[1]
STATIC = next((folder for folder in (_APP / "bundled" / "static", _APP.parent / "static") if folder.is_dir()), _APP / "static")


@lru_cache(maxsize=256)
def _digest(path: Path, _changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def content_hash(name: str) -> str | None:
    """Give the hash of a static file's content (None: there is no such file)."""
    path = STATIC / name
    try:
        return _digest(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


def static_url(name: str) -> str:
    """Give the address of a static file, with its content's hash; raise FileNotFoundError where there is none."""
    digest = content_hash(name)
    if digest is None:
        raise FileNotFoundError(name)
    return f"/static/{name}?v={digest}"


class Assets(StaticFiles):
    """Serves the static folder."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a file; immutable where the address names the content it has now."""
        response = await super().get_response(path, scope)
        asked = QueryParams(scope.get("query_string", b"")).get("v")
        current = asked is not None and asked == content_hash(path)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
        return response
