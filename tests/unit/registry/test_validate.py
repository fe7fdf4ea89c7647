"""Each rule a plugin is held to finds the fault planted for it and nothing else, and nothing on a plugin that keeps it."""

import json
import re
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import jsonschema
import psutil
import pytest

from app.domain.finding import Finding, Severity
from app.registry import folder_rules, golden_rules, import_child, manifest
from app.registry.importing import Imported, import_plugins
from app.registry.licences import find_flaw_in_licence
from app.registry.manifest import manifest_schema, read_manifest
from app.registry.manifest_rules import MANIFEST_RULES
from app.registry.validate import validate, validate_whole
from tests.unit.registry.conftest import CODE, MakePlugin

BUNDLED = Path(__file__).parents[3] / "plugins"
OPTION = '[options.size]\ntype = "integer"\ndefault = 3\ntitle = "Size"\nhelp = "How large."\n'
MODEL = f"""
[options.model]
type = "model"
default = "net"
title = "Model"
help = "The network."

[[models]]
file = "net.onnx"
sha256 = "{"ab" * 32}"
size = 4
url = "https://example.org/net.onnx"
license = "MIT"
"""
GOLDEN = {"sample": "sample.png", "frames": [{"frame_index": 0, "output": {"kind": "detections", "detections": []}}]}


@pytest.fixture
def whole(make_plugin: MakePlugin) -> Path:
    """A plugin with everything beside it, which keeps every rule."""
    folder = make_plugin(toml=OPTION)
    for name, text in (("README.md", "# Finds nothing\n"), ("sample.png", "x"), ("test_nothing.py", "")):
        (folder / name).write_text(text)
    (folder / "expected.json").write_text(json.dumps(GOLDEN))
    return folder


def edit(name: str, pattern: str, by: str) -> Callable[[Path], None]:
    """Spoil a file by a substitution."""

    def spoil(folder: Path) -> None:
        before = (folder / name).read_text()
        after = re.sub(pattern, lambda _: by, before, count=1, flags=re.MULTILINE)
        assert after != before
        (folder / name).write_text(after)

    return spoil


def add(name: str, text: str) -> Callable[[Path], None]:
    """Spoil a file by adding to its end."""
    return lambda folder: (folder / name).write_text((folder / name).read_text() + text)


def write(name: str, text: str | bytes) -> Callable[[Path], None]:
    """Spoil the folder by another file."""
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def remove(name: str) -> Callable[[Path], None]:
    """Spoil the folder by a file that is missing."""
    return lambda folder: (folder / name).unlink()


def toml(field: str, value: str) -> Callable[[Path], None]:
    """Spoil one line of the manifest."""
    return edit("plugin.toml", rf"^{field} = .*$", f"{field} = {value}")


def code(before: str, after: str) -> Callable[[Path], None]:
    """Spoil the plugin's code."""
    return edit("plugin.py", before, after)


def golden(**fields: object) -> Callable[[Path], None]:
    """Spoil the golden output."""
    return write("expected.json", json.dumps(GOLDEN | fields))


class Planted(NamedTuple):
    """A fault: how to plant it, where it must be found, and words of its message."""

    spoil: Callable[[Path], object]
    path: str
    words: str


LIMITS = "minimum = 9\nmaximum = 2\n"
OTHER = {"kind": "text", "blocks": []}
PIXELS = {"kind": "detections", "detections": [{"label": "a", "confidence": 0.5, "box": [10, 10, 20, 20]}]}
FRAME = "options.size: "
PLANTED: dict[str, Planted] = {
    "readable": Planted(write("plugin.toml", b"id = \xff"), "plugin.toml", "it is not UTF-8 text"),
    "toml": Planted(edit("plugin.toml", r"^name = .*$", "name = = 3"), "plugin.toml:3", "it is not TOML"),
    "needed-fields": Planted(edit("plugin.toml", r"^author = .*\n", ""), "plugin.toml", "author is missing"),
    "known-fields": Planted(edit("plugin.toml", r"^author", "colour = 1\nauthor"), "plugin.toml:6", "colour is not known"),
    "field-form": Planted(toml("name", '" "'), "plugin.toml:3", "but should be one line of text"),
    "id-form": Planted(toml("id", '"No Thing"'), "plugin.toml:2", "lower-case letters"),
    "semver": Planted(toml("version", '"1.2"'), "plugin.toml:4", "a semantic version such as 1.0.0"),
    "entry-form": Planted(toml("entry", '"plugin.py"'), "plugin.toml:8", "module:Class"),
    "capabilities": Planted(toml("capabilities", '["fly"]'), "plugin.toml:9", "'detect', 'classify'"),
    "output-kind": Planted(toml("output", '"boxes"'), "plugin.toml:10", "one of detections"),
    "budget": Planted(toml("latency_budget_ms", "-5"), "plugin.toml:11", "greater than 0"),
    "devices": Planted(edit("plugin.toml", r"^\[options", 'devices = ["gpu"]\n[options'), "plugin.toml:12", "'gpu'"),
    "needs-outputs": Planted(
        edit("plugin.toml", r"^\[options", 'needs_outputs = ["boxes"]\n[options'), "plugin.toml:12", "one of detections"
    ),
    "warmup": Planted(
        edit("plugin.toml", r"^\[options", "stateful = true\nwarmup_frames = 0\n[options"), "plugin.toml:13", "greater than"
    ),
    "models": Planted(add("plugin.toml", MODEL.replace("ab" * 32, "xyz")), "plugin.toml:26", "64 hex digits"),
    "option-name": Planted(edit("plugin.toml", r"options\.size", "options.Size"), "plugin.toml:12", "lower-case letters"),
    "option-type": Planted(toml("type", '"colour"'), "plugin.toml:13", "options.size.type is 'colour'"),
    "option-form": Planted(toml("title", "3"), "plugin.toml:15", "options.size.title is 3"),
    "option-limits": Planted(add("plugin.toml", "minimum = 9\nmaximum = 2\n"), "plugin.toml:17", "minimum 9 is above"),
    "option-choices": Planted(add("plugin.toml", 'choices = ["a"]\n'), "plugin.toml:17", "choices are for choice and strings"),
    "option-default": Planted(toml("default", "2.5"), "plugin.toml:14", "default is 2.5, expected a whole number"),
    "warmup-is-for-the-stateful": Planted(
        edit("plugin.toml", r"^\[options", "warmup_frames = 4\n[options"), "plugin.toml:12", "but stateful is false"
    ),
    "nothing-twice": Planted(toml("capabilities", '["detect", "detect"]'), "plugin.toml:9", "names something twice"),
    "models-have-an-option": Planted(
        add("plugin.toml", MODEL[MODEL.index("[[models]]") :]), "plugin.toml:17", "no option of type model"
    ),
    "entry-has-a-file": Planted(remove("plugin.py"), "plugin.toml:8", "there is no plugin.py in its folder"),
    "entry-is-python": Planted(add("plugin.py", "def broken(:\n"), "plugin.py:17", "plugin.py is not Python at line 17"),
    "entry-class-is-defined": Planted(code("class Nothing", "class Some"), "plugin.toml:8", "plugin defines no Nothing"),
    "models-have-their-hash": Planted(
        lambda folder: (add("plugin.toml", MODEL)(folder), write("net.onnx", "abcd")(folder)), "plugin.toml:26", "ababababab"
    ),
    "imports-only-the-sdk": Planted(
        code("from app.sdk import Detections", "from app.domain.output import Detections"), "plugin.py:3", "app.domain.output"
    ),
    "output-fits-a-capability": Planted(toml("capabilities", '["measure"]'), "plugin.toml:10", "none of its capabilities"),
    "looks-at-something": Planted(
        edit("plugin.toml", r"^\[options", "needs_pixels = false\n[options"), "plugin.toml:12", "names nothing to read"
    ),
    "budget-is-plausible": Planted(toml("latency_budget_ms", "86400000"), "plugin.toml:11", "expected 0.01 to 30000"),
    "licence-is-known": Planted(toml("license", '"Apache 2"'), "plugin.toml:7", "no spaces in their names"),
    "options-are-explained": Planted(toml("help", '""'), "plugin.toml:12", "options.size has no help"),
    "folder-is-named-by-the-id": Planted(toml("id", '"something"'), "plugin.toml:2", "its folder is 'nothing'"),
    "readme-is-there": Planted(write("README.md", " \n"), "README.md", "its README.md is empty"),
    "test-is-there": Planted(remove("test_nothing.py"), "test_nothing.py", "it has no test_nothing.py"),
    "sample-is-there": Planted(golden(sample="sample.jpg"), "expected.json", "no such file in its folder"),
    "golden-output-is-there": Planted(write("expected.json", "{}"), "expected.json", "missing required field `sample`"),
    "golden-output-is-of-its-kind": Planted(
        golden(frames=[{"frame_index": 3, "output": PIXELS}]), "expected.json", "frame 3: box .* is not within the frame"
    ),
    "golden-options-are-its-own": Planted(golden(options={"size": "x"}), "expected.json", "expected a whole number"),
    "entry-leads-to-a-class": Planted(add("plugin.py", "\nNothing = 3\n"), "plugin.py", "plugin has no class 'Nothing'"),
    "entry-can-be-imported": Planted(
        add("plugin.py", "import no_such_library\n"), "plugin.py:17", "ModuleNotFoundError: No module named 'no_such_library'"
    ),
    "import-comes-to-an-end": Planted(
        add("plugin.py", "import ctypes\nctypes.string_at(0)\n"), "plugin.toml", r"killed the process \(SIGSEGV\)"
    ),
    "has-its-lifecycle": Planted(code("def finalize", "def finalise"), "plugin.py:6", "Nothing has no finalize"),
    "builds-without-arguments": Planted(
        code("    def prepare", "    def __init__(self, size):\n        pass\n\n    def prepare"),
        "plugin.py:6", r"missing a required argument: 'size'",
    ),
    "methods-take-one-thing": Planted(
        code(r"process_frame\(self, frame\)", "process_frame(self, frame, options)"),
        "plugin.py:12", r"process_frame\(self, frame, options\) cannot be called with frame alone",
    ),
    "methods-are-plain": Planted(
        code("    def process_frame", "    async def process_frame"), "plugin.py:12", "is asynchronous: calling it does nothing"
    ),
}  # fmt: skip


def test_a_plugin_that_keeps_every_rule_has_no_finding(whole: Path) -> None:
    assert validate_whole(whole).findings == ()


@pytest.mark.parametrize("rule", PLANTED)
def test_each_rule_finds_the_fault_planted_for_it_and_no_other_rule_does(rule: str, whole: Path) -> None:
    PLANTED[rule].spoil(whole)
    findings = validate(whole).findings or validate_whole(whole).findings  # a child costs time
    assert [finding.rule for finding in findings] == [rule], findings
    (finding,) = findings
    assert finding.path == PLANTED[rule].path
    assert re.search(PLANTED[rule].words, finding.message), finding.message
    assert not finding.message.endswith(".")
    assert finding.cure.endswith((".", "…"))
    assert "/" not in finding.path


def test_every_rule_has_its_planted_fault() -> None:
    written = (*MANIFEST_RULES, *folder_rules.ERRORS, *folder_rules.WARNINGS, *golden_rules.WARNINGS, *import_child.RULES)
    names = {rule.__name__.replace("_", "-") for rule in written}
    names |= {*manifest._CURES, *manifest._FORMS.values()}
    found_by_the_child = {"entry-leads-to-a-class", "entry-can-be-imported", "import-comes-to-an-end"}
    assert set(PLANTED) == names | found_by_the_child | {"field-form", "option-form"}
    assert len(PLANTED) >= 25


@pytest.mark.parametrize("folder", [path.parent for path in sorted(BUNDLED.glob("*/plugin.toml"))], ids=lambda path: path.name)
def test_our_own_plugins_keep_every_rule(folder: Path) -> None:
    assert validate(folder) == (read_manifest(folder), ())


def test_our_own_plugins_can_all_be_imported() -> None:
    wanted = [Imported(path.parent, read_manifest(path.parent).entry) for path in sorted(BUNDLED.glob("*/plugin.toml"))]
    assert {one.folder.name: findings for one, findings in import_plugins(wanted)} == {one.folder.name: () for one in wanted}


def test_several_faults_are_all_told(whole: Path) -> None:
    for rule in ("readme-is-there", "licence-is-known", "test-is-there", "budget-is-plausible"):
        PLANTED[rule].spoil(whole)
    findings = validate(whole).findings
    assert [finding.rule for finding in findings] == [
        "budget-is-plausible", "licence-is-known", "readme-is-there", "test-is-there",
    ]  # fmt: skip
    assert {finding.severity for finding in findings} == {Severity.WARNING}


# ---- the published schema


def test_our_own_manifests_fit_the_published_schema() -> None:
    import tomllib

    check = jsonschema.Draft202012Validator(manifest_schema())
    jsonschema.Draft202012Validator.check_schema(manifest_schema())
    for path in BUNDLED.glob("*/plugin.toml"):
        check.validate(tomllib.loads(path.read_text()))
    assert all("description" in field for field in manifest_schema()["properties"].values())


@pytest.mark.parametrize("rule", ["needed-fields", "known-fields", "field-form", "semver", "option-type", "models", "budget"])
def test_what_breaks_the_form_breaks_the_published_schema_too(rule: str, whole: Path) -> None:
    import tomllib

    PLANTED[rule].spoil(whole)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(manifest_schema()).validate(tomllib.loads((whole / "plugin.toml").read_text()))


# ---- code that is looked at, and code that runs


def messages(folder: Path) -> list[str]:
    return [finding.message for finding in validate(folder).errors]


@pytest.mark.parametrize(
    "text",
    [
        "from ._parts import Nothing\n",
        "from ._parts import Other as Nothing\n",
        "import sys\nif sys.platform:\n    class Nothing: ...\n",
        "Nothing = type('Nothing', (), {})\n",
    ],
)
def test_a_class_that_comes_into_the_module_another_way_is_seen(make_plugin: MakePlugin, text: str) -> None:
    assert messages(make_plugin(code=text)) == []


def test_code_with_a_null_byte_is_not_python(make_plugin: MakePlugin) -> None:
    (message,) = messages(make_plugin(code="x = '\0'\n"))
    assert message.startswith("plugin.py is not Python")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from app.engine import pool", "app.engine"),
        ("import app.store.jobs", "app.store.jobs"),
        ("from app import settings", "app.settings"),
        ("def f():\n    from app.domain.job import Job", "app.domain.job"),
        ("import app", "app"),
    ],
)
def test_an_import_past_the_sdk_is_told_however_it_is_written(whole: Path, line: str, name: str) -> None:
    add("plugin.py", f"\n{line}\n")(whole)
    (finding,) = validate(whole).findings
    assert finding.message == f"it imports {name}; a plugin imports app.sdk only"


def test_an_import_of_a_file_beside_it_is_the_plugin_s_own_affair(whole: Path) -> None:
    (whole / "plugin.py").write_text(f"from .app.engine import x\nfrom . import app\n{CODE}")
    assert validate(whole).findings == ()


def test_validating_without_a_child_runs_no_code_of_the_plugin(make_plugin: MakePlugin) -> None:
    folder = make_plugin(code=f"{CODE}\nraise SystemExit('this code must not run')\n")
    assert messages(folder) == []
    assert not any("nothing" in name for name in sys.modules)


def test_a_model_that_was_fetched_is_held_to_its_hash(whole: Path, tmp_path: Path) -> None:
    body = b"abcd"
    (tmp_path / "models" / "nothing").mkdir(parents=True)
    (tmp_path / "models" / "nothing" / "net.onnx").write_bytes(body)
    add("plugin.toml", MODEL)(whole)
    (finding,) = validate(whole, tmp_path / "models").findings
    assert finding.rule == "models-have-their-hash"
    toml("sha256", f'"{sha256(body).hexdigest()}"')(whole)
    assert validate(whole, tmp_path / "models").findings == ()


def test_a_note_of_a_hash_is_held_to_the_file_it_is_about(whole: Path) -> None:
    (whole / "own.onnx").write_bytes(b"abcd")
    (whole / "own.onnx.sha256").write_text(f"{sha256(b'abcd').hexdigest()}  own.onnx\n")
    assert validate(whole).findings == ()
    (whole / "own.onnx").write_bytes(b"another")
    assert [(finding.rule, finding.path) for finding in validate(whole).findings] == [
        ("models-have-their-hash", "own.onnx.sha256")
    ]


def imported(folders: list[Path], patience_s: float = 20.0) -> dict[str, tuple[Finding, ...]]:
    wanted = [Imported(folder, "plugin:Nothing") for folder in folders]
    return {one.folder.name: findings for one, findings in import_plugins(wanted, patience_s)}


def test_an_import_that_fails_hangs_or_ends_its_process_says_so_and_the_others_are_still_imported(
    make_plugin: MakePlugin,
) -> None:
    endings = {
        "aa_good": "",
        "bb_raises": "raise SystemExit('no')",
        "cc_exits": "import os; os._exit(3)",
        "dd_good": "",
        "ee_hangs": "import time; time.sleep(600)",
        "ff_killed": "import os; os.kill(os.getpid(), 9)",
        "gg_prints": "print('x' * 100_000, flush=True)",
    }
    folders = [make_plugin(name, code=f"{CODE}\n{line}\n") for name, line in endings.items()]
    told = imported(folders, patience_s=2.0)
    assert {name: [finding.message for finding in findings] for name, findings in told.items()} == {
        "aa_good": [],
        "bb_raises": ["its import failed: SystemExit: no"],
        "cc_exits": ["its import ended the process with exit code 3"],
        "dd_good": [],
        "ee_hangs": ["its import took longer than 2 s and was ended"],
        "ff_killed": ["its import killed the process (SIGKILL)"],
        "gg_prints": [],
    }


def test_what_an_import_started_ends_with_it(make_plugin: MakePlugin, tmp_path: Path) -> None:
    started = "str(subprocess.Popen(['sleep', '600']).pid)"
    line = f"import pathlib, subprocess\npathlib.Path({str(tmp_path / 'pid')!r}).write_text({started})"
    assert imported([make_plugin(code=f"{CODE}\n{line}\n")]) == {"nothing": ()}
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("licence", "flaw"),
    [
        ("MIT", None),
        ("GPL-3.0-only WITH Classpath-exception-2.0", None),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", None),
        ("LicenseRef-Acme-1", None),
        ("apache2", "'apache2' is no SPDX identifier; Apache-2.0 may be meant"),
        ("mit", "'mit' is no SPDX identifier; MIT may be meant"),
        ("free", "'free' is no SPDX identifier"),
        ("MIT License", "licences are joined by AND, OR or WITH, and have no spaces in their names"),
        ("(MIT", "a bracket is not closed"),
    ],
)
def test_a_licence_is_told_from_a_loose_word(licence: str, flaw: str | None) -> None:
    assert find_flaw_in_licence(licence) == flaw
