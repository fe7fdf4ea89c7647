"""plugin.toml spoilt in every way: never a crash, always a plugin or the reasons why not, and never one beside its schema."""

import json
import tomllib
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.finding import Severity
from app.registry.manifest import examine_manifest, manifest_schema
from app.registry.validate import validate
from app.web.openapi import openapi_document
from tests.conftest import ROOT, Servers
from tests.soak.fuzzing import ANYTHING, fitting, fuzz, held, mutants
from tests.unit.registry.conftest import CODE
from tests.unit.registry.test_manifest import EVERYTHING, MANIFEST

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
SCHEMA = manifest_schema()
WHOLE = {path.parent.name: path.read_bytes() for path in sorted((ROOT / "plugins").glob("*/plugin.toml"))}
WHOLE["nothing"] = (MANIFEST.format(id="nothing") + EVERYTHING).encode()
DOCUMENT = {"components": {"schemas": SCHEMA["$defs"]}}
OPENAPI = json.loads(json.dumps(openapi_document()))
IDS = st.sampled_from(["nothing", "threshold", "a1", "Bad", "é"])
WORDS = {
    "id": st.just("nothing"), "version": st.sampled_from(["1.2.3", "1.2", "1.2.3-a+b"]), "entry": st.just("plugin:Nothing"),
    "default": st.one_of(ANYTHING, st.sampled_from([0, 1.5, True, "fast", ["person"]])), "options": st.dictionaries(
        IDS, fitting(DOCUMENT, SCHEMA["$defs"]["OptionTable"], {}, True), max_size=3),
}  # fmt: skip


def as_toml(value: object) -> str:
    """Write a value as TOML has it within a line; what TOML cannot say is left out."""
    if isinstance(value, dict):
        inner = (f"{as_toml(str(name))} = {as_toml(item)}" for name, item in value.items() if item is not None)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value if item is not None) + "]"
    return json.dumps(value, ensure_ascii=False)


@st.composite
def structures(draw: st.DrawFn, *, spoilt: bool) -> bytes:
    """Make a manifest field by field."""
    made = draw(fitting(DOCUMENT, SCHEMA, WORDS, spoilt))
    table = made if isinstance(made, dict) else {"id": made}
    lines = [f"{as_toml(str(name))} = {as_toml(value)}" for name, value in table.items() if value is not None]
    return "\n".join(lines).encode(errors="replace")


def look(folder: Path, text: bytes, told: Counter[str]) -> None:
    """Hold a manifest to what every one must keep: metadata or an error; and what is taken is what the schema takes."""
    (folder / "plugin.toml").write_bytes(text)
    metadata, found = examine_manifest(folder)
    told["whole" if metadata else "broken"] += 1
    told.update(f"rule {finding.rule}" for finding in found)
    assert (metadata is None) == any(finding.severity is Severity.ERROR for finding in found)
    assert all(finding.message and finding.cure and finding.path.startswith("plugin.toml") for finding in found)
    assert {finding.rule for finding in found} <= {finding.rule for finding in validate(folder).findings}
    if metadata:
        jsonschema.validate(tomllib.loads(text.decode()), SCHEMA)
        json.dumps(metadata.defaults())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a plugin whose code is whole."""
    folder = tmp_path / "nothing"
    folder.mkdir()
    (folder / "plugin.py").write_text(CODE)
    return folder


def test_a_manifest_made_field_by_field_is_taken_as_its_schema_has_it_or_refused_with_reasons(folder: Path) -> None:
    told: Counter[str] = Counter()
    fuzz(500)(given(st.booleans().flatmap(lambda spoilt: structures(spoilt=spoilt)))(lambda text: look(folder, text, told)))()
    print(dict(told))
    assert told["whole"] > 5
    assert told["broken"] > 100


def test_a_real_manifest_with_bytes_spoilt_is_read_or_refused_with_reasons(folder: Path) -> None:
    told: Counter[str] = Counter()
    fuzz(500)(given(mutants(WHOLE))(lambda mutant: look(folder, mutant[1], told)))()
    print(dict(told))
    assert told["whole"] > 5
    assert told["broken"] > 100


def test_a_server_lists_every_spoilt_plugin_and_serves_the_others(servers: Servers, tmp_path: Path) -> None:
    texts: list[bytes] = []
    made = st.one_of(structures(spoilt=True), mutants(WHOLE).map(lambda mutant: mutant[1]))
    fuzz(60)(given(made)(lambda text: texts.append(text)))()  # noqa: PLW0108  # hypothesis looks into a function's code
    for number, text in enumerate(texts):
        folder = tmp_path / "plugins" / f"p{number}"
        folder.mkdir(parents=True)
        (folder / "plugin.py").write_text(CODE)
        (folder / "plugin.toml").write_bytes(text)
    server = servers.start(env={"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(tmp_path / "plugins")})
    with server.client() as api:
        listed = held(OPENAPI, "get", "/v1/plugins", api.get("/v1/plugins")).json()["items"]
        assert {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()} <= {item["id"] for item in listed}
        print(len(listed), "listed,", sum(item["broken"] for item in listed), "broken")
        assert len(listed) > 60
        for address in ("/plugins", *(f"/plugins/{item['id']}" for item in listed)):
            page = api.get(address, headers={"Accept": "text/html"})
            assert page.status_code == 200, (address, page.text[:300])
        for item in listed:
            held(OPENAPI, "get", "/v1/plugins/{id}", api.get(f"/v1/plugins/{item['id']}"))
    assert "Traceback" not in server.printed()
