"""plugin.toml: what is taken, and that each thing refused is named with its place and what was expected."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.domain.device import Target
from app.domain.errors import BadManifest
from app.domain.plugin import Capability, OptionSpec, OptionType, PluginMetadata
from app.registry.manifest import Manifest, manifest_schema, read_manifest
from tests.unit.registry.conftest import MANIFEST, MakePlugin

EVERYTHING = """
stateful = true
needs_pixels = false
warmup_frames = 12
needs_outputs = ["tracks", "text"]
devices = ["cuda", "cpu"]

[options.threshold]
type = "number"
default = 0.5
minimum = 0
maximum = 1.0
title = "Threshold"
help = "How sure."

[options.mode]
type = "choice"
default = "fast"
choices = ["fast", "good"]
title = "Mode"

[options.labels]
type = "strings"
default = ["person"]
title = "Labels"

[options.model]
type = "model"
default = "net"
title = "Model"

[[models]]
file = "net.onnx"
sha256 = "{sha}"
size = 1234
url = "https://example.org/net.onnx"
license = "MIT"
""".replace("{sha}", "ab" * 32)


def refusal(folder: Path) -> str:
    with pytest.raises(BadManifest) as caught:
        read_manifest(folder)
    return str(caught.value)


def test_a_whole_manifest_is_read_as_the_domain_knows_it(make_plugin: MakePlugin) -> None:
    metadata = read_manifest(make_plugin(toml=EVERYTHING))
    assert metadata.id == "nothing"
    assert metadata.capabilities == (Capability.DETECT,)
    assert metadata.devices == (Target.CUDA, Target.CPU)
    assert (metadata.stateful, metadata.needs_pixels, metadata.warmup_frames) == (True, False, 12)
    assert metadata.needs_outputs == ("tracks", "text")
    assert metadata.options == (
        OptionSpec("threshold", OptionType.NUMBER, 0.5, "Threshold", "How sure.", 0, 1.0),
        OptionSpec("mode", OptionType.CHOICE, "fast", "Mode", choices=("fast", "good")),
        OptionSpec("labels", OptionType.STRINGS, ("person",), "Labels"),
        OptionSpec("model", OptionType.MODEL, "net", "Model"),
    )
    assert (metadata.models[0].file, metadata.models[0].name) == ("net.onnx", "net")
    assert metadata.defaults() == {"threshold": 0.5, "mode": "fast", "labels": ("person",), "model": "net"}


def test_what_is_left_out_has_the_domain_s_defaults(make_plugin: MakePlugin) -> None:
    metadata = read_manifest(make_plugin())
    defaults = PluginMetadata(
        id="nothing", name="Test plugin", version="1.2.3", description="Finds nothing.", author="Test", license="Apache-2.0",
        entry="plugin:Nothing", capabilities=(Capability.DETECT,), output="detections", latency_budget_ms=5.0,
    )  # fmt: skip
    assert metadata == defaults


def test_the_manifest_and_the_domain_have_the_same_fields() -> None:
    assert set(Manifest.model_fields) == {field.name for field in fields(PluginMetadata)}


@pytest.mark.parametrize("field", [line.partition(" ")[0] for line in MANIFEST.splitlines()[1:]])
def test_each_field_that_must_be_there_is_missed_by_its_name(make_plugin: MakePlugin, field: str) -> None:
    folder = make_plugin()
    path = folder / "plugin.toml"
    path.write_text(re.sub(rf"^{field} = .*\n", "", path.read_text(), flags=re.MULTILINE))
    assert refusal(folder) == f"nothing/plugin.toml: {field} is missing."


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("id", '"People HOG"', "id is 'People HOG', but should be lower-case letters"),
        ("name", '""', "name is ''"),
        ("name", '"  "', "name is '  ', but should be one line of text"),
        ("version", '"1.0"', "version is '1.0', but should be a semantic version such as 1.0.0"),
        ("version", '"01.0.0"', "version is '01.0.0'"),
        ("entry", '"plugin.py"', "entry is 'plugin.py', but should be module:Class"),
        ("entry", '"../plugin:Nothing"', "entry is '../plugin:Nothing'"),
        ("capabilities", "[]", "capabilities is []"),
        ("capabilities", '["detect", "detect"]', "capabilities names something twice"),
        ("capabilities", '["fly"]', "capabilities.0 is 'fly', but should be 'detect', 'classify'"),
        ("output", '"boxes"', "output is 'boxes', but should be one of detections, classification"),
        ("latency_budget_ms", "0", "latency_budget_ms is 0, but should be greater than 0"),
        ("latency_budget_ms", "inf", "latency_budget_ms is inf"),
        ("latency_budget_ms", '"5"', "latency_budget_ms is '5', but should be a valid number"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(make_plugin: MakePlugin, field: str, value: str, said: str) -> None:
    folder = make_plugin()
    path = folder / "plugin.toml"
    path.write_text(re.sub(rf"^{field} = .*$", lambda _: f"{field} = {value}", path.read_text(), flags=re.MULTILINE))
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("colour = 1\n", "colour is not known"),
        ("stateful = 1\n", "stateful is 1, but should be a valid boolean"),
        ("warmup_frames = 3\n", "warmup_frames is for stateful plugins, but stateful is false"),
        ("stateful = true\nwarmup_frames = 0\n", "warmup_frames is 0, but should be greater than or equal to 1"),
        ('needs_outputs = ["boxes"]\n', "needs_outputs.0 is 'boxes', but should be one of detections, classification"),
        ('needs_outputs = ["tracks", "tracks"]\n', "needs_outputs names something twice"),
        ('devices = ["gpu"]\n', "devices.0 is 'gpu', but should be 'cuda_fp16'"),
        ('devices = ["cpu", "cpu"]\n', "devices names something twice"),
        ("devices = []\n", "devices is []"),
        ('[options.Bad]\ntype = "boolean"\ndefault = true\ntitle = "T"\n', "options.Bad"),
        ('[options.size]\ntype = "boolean"\ndefault = true\ntitle = "T"\nunit = "px"\n', "options.size.unit is not known"),
        ('[options.size]\ntype = "colour"\ndefault = 1\ntitle = "T"\n', "options.size.type is 'colour'"),
        ('[options.size]\ntype = "integer"\ntitle = "T"\n', "options.size.default is missing"),
        ('[options.size]\ntype = "integer"\ndefault = 1.5\ntitle = "T"\n', "default is 1.5, expected a whole number"),
        ('[options.size]\ntype = "integer"\ndefault = true\ntitle = "T"\n', "default is True, expected a whole number"),
        (
            '[options.size]\ntype = "number"\ndefault = 9\nmaximum = 5\ntitle = "T"\n',
            "options.size: default is 9, expected a number, at most 5",
        ),
        ('[options.size]\ntype = "number"\ndefault = nan\ntitle = "T"\n', "default is nan, expected a number"),
        (
            '[options.size]\ntype = "number"\ndefault = 1\nminimum = 5\nmaximum = 2\ntitle = "T"\n',
            "minimum 5 is above maximum 2",
        ),
        ('[options.size]\ntype = "string"\ndefault = "a"\nminimum = 5\ntitle = "T"\n', "minimum and maximum are for numbers"),
        ('[options.mode]\ntype = "choice"\ndefault = "a"\ntitle = "T"\n', "a choice needs choices"),
        ('[options.mode]\ntype = "choice"\ndefault = "c"\nchoices = ["a", "b"]\ntitle = "T"\n', "expected one of a, b"),
        (
            '[options.mode]\ntype = "string"\ndefault = "c"\nchoices = ["c"]\ntitle = "T"\n',
            "choices are for choice and strings",
        ),
        (EVERYTHING.replace("ab" * 32, "AB" * 32), "models.0.sha256"),
        (EVERYTHING.replace("net.onnx", "../net.onnx", 1), "models.0.file"),
        (EVERYTHING.replace("https://", "http://"), "models.0.url"),
        (EVERYTHING.replace('type = "model"', 'type = "string"'), "models are named, but no option of type model"),
        (EVERYTHING.replace("size = 1234", "size = 0"), "models.0.size"),
        (EVERYTHING + EVERYTHING[EVERYTHING.index("[[models]]") :], "models names a file twice"),
        ("name =", "it is not TOML"),
    ],
)
def test_what_does_not_belong_there_is_refused_with_its_place(make_plugin: MakePlugin, toml: str, said: str) -> None:
    assert said in refusal(make_plugin(toml=toml))


@pytest.mark.parametrize("version", ["0.0.1", "1.2.3-rc.1", "10.20.30+build.5", "1.0.0-alpha-a.b-c+x"])
def test_every_form_of_a_semantic_version_is_taken(make_plugin: MakePlugin, version: str) -> None:
    folder = make_plugin()
    path = folder / "plugin.toml"
    path.write_text(path.read_text().replace("1.2.3", version))
    assert read_manifest(folder).version == version


def test_several_faults_are_told_together(make_plugin: MakePlugin) -> None:
    said = refusal(make_plugin(toml="colour = 1\nstateful = 3\n"))
    assert "colour is not known" in said
    assert "stateful is 3" in said


def test_a_manifest_that_is_not_text_or_not_there_is_refused(make_plugin: MakePlugin, tmp_path: Path) -> None:
    folder = make_plugin()
    (folder / "plugin.toml").write_bytes(b"id = \xff\xfe")
    assert "it is not UTF-8 text (byte 5)" in refusal(folder)
    assert "it cannot be read (No such file or directory)" in refusal(tmp_path)


def test_the_refusal_names_no_path_of_the_machine(make_plugin: MakePlugin, tmp_path: Path) -> None:
    assert str(tmp_path) not in refusal(make_plugin(toml="colour = 1\n"))


def test_the_schema_allows_nothing_extra() -> None:
    schema = manifest_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Manifest.model_fields)
