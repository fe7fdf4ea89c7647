"""What the fuzz tests share: the seed, values made after a JSON schema and beside it, mutants of bytes, a server to try."""

import os
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st

from tests.conftest import Server, Servers, wait_until
from tests.e2e.test_jobs import ENDED, TEST_PLUGINS
from tests.promises.answers import Answer, faults

SEED = int(os.environ.get("SIGHTLINE_FUZZ_SEED", "8"))
MORE = float(os.environ.get("SIGHTLINE_FUZZ_MORE", "1"))  # so many times as much is tried
ODD_TEXTS = (
    "", " ", ",", "none", "null", "true", "-1", "0", "1", "1.5", "1e9", "1e400", "NaN", "inf", "9" * 19, "9" * 5000, "1_0", "٣",
    "\0", "a\0b", "\x7f", "\r\n", "\ufffd", "\u202e", "\U0001f3a5", "é", "%", "%_", "\\", "'", '"', "';--", "<b>", "{{7*7}}",
    "../..", "a" * 300, "x" * 9000, "2026-01-31", "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59",
)  # fmt: skip
AT_REST = ["-P -m app.engine.worker", "-P -m app.engine.worker", "-m app serve"]  # what a server with two workers runs
TEXTS = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text(string.ascii_lowercase + string.digits + "._-,", max_size=20),
)
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
        st.just(10**30),
        st.just(-0.0),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=6,
)


def fuzz(examples: int) -> Callable[[Any], Any]:
    """Try so many examples, from the seed of this run alone: nothing is kept for the next, and none fails for being slow."""
    number = max(1, int(examples * MORE))
    chosen = settings(
        max_examples=number,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )

    def tell(test: Any) -> Any:
        return seed(SEED)(chosen(test))

    return tell


@st.composite
def fitting(draw: Any, document: Mapping[str, Any], schema: Mapping[str, Any], words: Mapping[str, Any], spoilt: bool) -> Any:
    """Make a value that fits a schema of the document; where it is `spoilt`, anything may stand in any place.

    `words` names, by property, what gets past the first look: the ids of plugins and jobs that there are.
    """
    if spoilt and draw(st.integers(0, 9)) == 0:
        return draw(ANYTHING)
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return draw(fitting(document, draw(st.sampled_from(schema["anyOf"])), words, spoilt))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema.get("type")
    if kind == "object":
        return draw(_objects(document, schema, words, spoilt))
    if kind == "array":
        items = fitting(document, schema.get("items", {}), words, spoilt)
        return draw(st.lists(items, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 4), 4)))
    return draw(_scalars(schema))


@st.composite
def _objects(draw: Any, document: Mapping[str, Any], schema: Mapping[str, Any], words: Mapping[str, Any], spoilt: bool) -> Any:
    made: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        if name not in schema.get("required", ()) and draw(st.booleans()):
            continue
        if name in words and draw(st.integers(0, 4)):
            made[name] = draw(words[name])
        else:
            made[name] = draw(fitting(document, inner, words, spoilt))
    more = schema.get("additionalProperties", spoilt and draw(st.integers(0, 9)) == 0)
    if more:
        inner = fitting(document, more, words, spoilt) if isinstance(more, dict) else ANYTHING
        made |= draw(st.dictionaries(TEXTS, inner, max_size=2))
    return made


def _scalars(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "string":
        if "pattern" in schema:
            return st.from_regex(schema["pattern"].replace("$", r"\Z"))
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=schema.get("minLength", 0), max_size=20)
    if kind == "integer":
        return st.integers(schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum"))
    if kind == "number":
        least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
        return st.floats(least, most, allow_nan=False, allow_infinity=False, exclude_min="exclusiveMinimum" in schema)
    return {"boolean": st.booleans(), "null": st.none()}.get(str(kind), ANYTHING)


@st.composite
def mutants(draw: Any, originals: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Make a mutant of one of some files, with its recipe in words: what was done, where."""
    name = draw(st.sampled_from(sorted(originals)))
    body, recipe = bytearray(originals[name]), [name]
    for _ in range(draw(st.integers(1, 4))):
        size = len(body)
        edge = st.integers(0, min(size, 600))  # headers stand at either end
        at = draw(st.one_of(edge, edge.map(lambda back, size=size: size - back), st.integers(0, size)))
        long = draw(st.one_of(st.integers(1, 16), st.integers(1, max(1, size))))
        what = draw(
            st.sampled_from(["flip", "flip", "flip", "cut off", "cut out", "blank", "fill", "repeat", "splice", "number"])
        )
        recipe.append(f"{what} {at}+{long}")
        if what == "flip" and size:
            place, bit = min(at, size - 1), draw(st.integers(0, 7))
            body[place] ^= 1 << bit
            recipe[-1] = f"flip {place}.{bit}"
        elif what == "cut off":
            del body[at:]
        elif what == "cut out":
            del body[at : at + long]
        elif what in {"blank", "fill"}:
            body[at : at + long] = (b"\0" if what == "blank" else b"\xff") * len(body[at : at + long])
        elif what == "repeat":
            body[at:at] = body[at : at + long]
        elif what == "splice":
            other = draw(st.sampled_from(sorted(originals)))
            body[at : at + long] = originals[other][at : at + long]
            recipe[-1] += f" of {other}"
        elif what == "number":  # sizes, counts and times are numbers of four bytes in most containers
            body[at : at + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1"]))
    return ", ".join(recipe), bytes(body)


def held(document: dict[str, Any], method: str, path: str, answer: httpx.Response) -> httpx.Response:
    """Hold an answer to what the document says of its operation: the status is told, and the body fits; and never a 5xx."""
    assert answer.status_code < 500, f"{method.upper()} {answer.request.url}: {answer.status_code} {answer.text}"
    wrong = list(faults(document, Answer(method, path, answer.status_code, answer)))
    assert not wrong, wrong
    if answer.status_code >= 400:
        told = answer.json()
        assert told["status"] == answer.status_code
        assert told["title"]
        assert told["detail"]
        assert "Traceback" not in answer.text
    return answer


@contextmanager
def tried(servers: Servers, at: Path, **env: str) -> Iterator[Server]:
    """Start a server to be tried, and see at the end that it lives and that nothing is left of what was tried.

    Every job that was taken comes to an end; then all are deleted, and with them every file. No process is left but the
    server and its workers, and the server complained of nothing.
    """
    scratch = at / "scratch"
    scratch.mkdir()
    given = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), "TMPDIR": str(scratch), **env}
    server = servers.start(env=given)
    print(f"seed {SEED} (SIGHTLINE_FUZZ_SEED), {MORE:g} times as much (SIGHTLINE_FUZZ_MORE)")
    yield server
    with server.client() as api:
        clear(api)
        wait_until(lambda: api.get("/readyz").status_code == 200, "the server to be ready again")
    wait_until(lambda: kinds(server) == AT_REST, f"none but {AT_REST} to run")
    folders = (server.home / "uploads", server.home / "outputs", scratch)
    left = [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert not left, f"files were left behind: {left}"
    assert "Traceback" not in server.printed(), f"the server printed:\n{server.printed()[-4000:]}"
    assert server.process.poll() is None


def clear(api: httpx.Client) -> list[dict[str, Any]]:
    """Wait for every job to end, delete all, and give them as they ended; one that has long to go is cancelled."""
    ended: list[dict[str, Any]] = []
    while items := api.get("/v1/jobs?limit=200").raise_for_status().json()["items"]:
        for job in items:
            wait_until(lambda job=job: status(api, job) in ENDED, f"the end of {job['name']!r}, {job['id']}")
            ended.append(api.get(f"/v1/jobs/{job['id']}").json())
            assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204
    return ended


def status(api: httpx.Client, job: Mapping[str, Any]) -> str:
    """Ask where a job stands."""
    return str(api.get(f"/v1/jobs/{job['id']}").json()["status"])


def kinds(server: Server) -> list[str]:
    """What runs in the server's session, by the module each process runs."""
    return sorted(" ".join(process.cmdline()[1:4]) for process in server.processes())
