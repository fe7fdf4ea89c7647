"""Holds the house rules that no linter knows: first lines, lengths, names, reasons, errors that pickle, the worker's diet."""

import ast
import importlib
import inspect
import io
import json
import pickle
import pkgutil
import re
import string
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import app
from app.domain.errors import SightlineError
from app.settings import Settings

ROOT = Path(__file__).parents[1]
LONGEST_FILE, LONGEST_FUNCTION = 250, 40
HELD_SHORT = ("app/", "plugins/", "static/", "templates/", "tests/promises/")
EXCEPTIONS: frozenset[str] = frozenset()  # files that may break a rule: none, and it stays so
NOT_OURS = ("static/vendor/", "tests/baselines/", "tests/storybook/")
CODE = {".py", ".css", ".js", ".html", ".toml", ".sh"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "services", "service", "manager", "managers", "misc"}
EDGES = {  # where an exception of any kind is caught and turned into something a person can read
    "worker": {
        "app/engine/worker.py",
        "app/engine/work.py",
        "app/engine/stages.py",
        "app/engine/summing.py",
        "app/registry/import_child.py",
    },
    "dispatcher": {"app/engine/dispatcher.py", "app/engine/process.py"},
    "web": {"app/web/errors.py", "app/web/feed.py", "app/insights/tail.py"},  # the tail: a feed lags, it does not end
}
WORKER_NEVER_IMPORTS = {
    "alembic",
    "jinja2",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "ray",
    "sqlalchemy",
    "sse_starlette",
    "starlette",
    "uvicorn",
}


@cache
def files() -> tuple[str, ...]:
    """List every file that is or may be committed, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:  # an unpacked archive: everything but what a checkout grows by itself
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not re.match(r"\.(?!ci/|git)|.*(__pycache__|\.egg-info)|dist/|build/", name)]
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


def ours(*suffixes: str, under: tuple[str, ...] = ("",)) -> list[str]:
    """List our own files with one of the suffixes, under one of the folders."""
    return [
        name
        for name in files()
        if Path(name).suffix in suffixes and name.startswith(under) and not name.startswith(NOT_OURS) and name not in EXCEPTIONS
    ]


def read(name: str) -> str:
    """Give a file's text."""
    return (ROOT / name).read_text(encoding="utf-8")


# ---- one function to a rule: it says what is wrong with a file, a sentence for each fault


OPENINGS = {
    ".py": r'"""\S',
    ".css": r"/\* \S",
    ".js": r"(//|/\*) \S",
    ".html": r"\{# \S",
    ".toml": r"# \S",
    ".sh": r"# \S",
    "": r"# \S",
}


def flaw_in_first_line(name: str, text: str) -> list[str]:
    """Say whether the first line (the second behind a `#!`) does not say what the file is for."""
    lines = text.splitlines() or [""]
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    opening = OPENINGS["" if "." not in Path(name).name else Path(name).suffix]
    if re.match(opening, first) and len(re.findall(r"\w+", first)) >= 3:
        return []
    return [f"{name}:1 does not say in a sentence what the file is for: {first[:60]!r}"]


def flaw_in_length(name: str, text: str) -> list[str]:
    """Say whether the file is too long."""
    count = len(text.splitlines())
    return [f"{name} has {count} lines, at most {LONGEST_FILE} may be"] if count > LONGEST_FILE else []


def flaws_in_functions(name: str, text: str) -> list[str]:
    """Name the functions that are too long."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        f"{name}:{node.lineno} {node.name} has {length} lines, at most {LONGEST_FUNCTION} may be"
        for node in functions
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]


def flaws_in_comments(name: str, text: str) -> list[str]:
    """Name each `noqa` and `type: ignore` that has no code or gives no reason."""
    flaws = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or not re.search(r"#\s*(noqa|type:\s*ignore)", token.string):
            continue
        given = re.search(r"noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*(.*)|type:\s*ignore\[[\w\-, ]+\](.*)", token.string)
        reason = re.sub(r"type:\s*ignore\[.*?\]|noqa:\s*[A-Z]+\d+", "", (given[1] or given[2] or "")) if given else ""
        if len(re.findall(r"\w+", reason)) < 2:
            flaws.append(f"{name}:{token.start[0]} names no code or no reason: {token.string}")
    return flaws


def flaws_in_excepts(name: str, text: str) -> list[str]:
    """Name each broad except that keeps the exception to itself outside the three edges."""
    if any(name in edge for edge in EDGES.values()):
        return []
    flaws = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in kinds)
        passed_on = isinstance(node.body[-1], ast.Raise)
        if broad and not passed_on:
            flaws.append(f"{name}:{node.lineno} catches every exception; only worker, dispatcher and web may")
    return flaws


def flaws_in_name(name: str) -> list[str]:
    """Say whether a file or folder is named for nothing in particular."""
    words = {word for part in Path(name).with_suffix("").parts for word in (part, part.rsplit("_", 1)[-1])}
    return [f"{name} is named {word!r}, which says nothing" for word in sorted(words & FORBIDDEN_NAMES)]


PLACES = [
    *(rf"(?<![\w.])/{folder}/\w" for folder in ("work", "root", "Users")),
    *(name.replace("_", r"\.") for name in ("pypi_org", "pythonhosted_org", "npmjs_org", "npmjs_com", "yarnpkg_com")),
]


def flaws_in_places(name: str, text: str) -> list[str]:
    """Name each line that names a place on one machine, or a package registry."""
    found = re.compile("|".join(PLACES))
    return [
        f"{name}:{number} names a place: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), 1)
        if found.search(line)
    ]


def flaws_in_plugin_imports(name: str, text: str) -> list[str]:
    """Name each import of a plugin that reaches into the app past app.sdk."""
    flaws = []
    for node in ast.walk(ast.parse(text)):
        wanted = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        wanted += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        flaws += [
            f"{name}:{node.lineno} imports {module}; a plugin imports app.sdk only"
            for module in wanted
            if module.split(".")[0] in ("app", "plugins", "tests") and module != "app.sdk"
        ]
    return flaws


def flaws_in_writes(name: str, text: str) -> list[str]:
    """Name each write transaction begun outside the actions and the engine."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        f"{name}:{call.lineno} begins a write; reads may go web → store, writes only through actions"
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "begin"
    ]


def complain(flaws: Iterable[str]) -> None:
    """Fail with every fault on a line of its own."""
    told = "\n".join(flaws)
    assert not told, f"\n{told}"


# ---- the rules, on everything there is


def test_the_first_line_of_every_code_file_says_what_it_is_for() -> None:
    named = [name for name in files() if Path(name).name in ("Makefile", "run") and not name.startswith(NOT_OURS)]
    complain(flaw for name in [*ours(*CODE), *named] for flaw in flaw_in_first_line(name, read(name)))


def test_files_are_short() -> None:
    assert not EXCEPTIONS
    names = ours(".py", ".js", ".css", ".html", under=HELD_SHORT)
    complain(flaw for name in names for flaw in flaw_in_length(name, read(name)))


def test_functions_are_short() -> None:
    names = ours(".py", under=("app/", "plugins/", "tests/promises/"))
    complain(flaw for name in names for flaw in flaws_in_functions(name, read(name)))


def test_every_noqa_and_type_ignore_says_why() -> None:
    complain(flaw for name in ours(".py") for flaw in flaws_in_comments(name, read(name)))


def test_only_the_three_edges_catch_every_exception() -> None:
    names = ours(".py", under=("app/", "plugins/", "migrations/"))
    complain(flaw for name in names for flaw in flaws_in_excepts(name, read(name)))


def test_no_file_is_named_for_nothing_in_particular() -> None:
    complain(flaw for name in ours(*CODE) for flaw in flaws_in_name(name))


def test_no_file_names_a_machine_or_a_registry() -> None:
    texts = {".md", ".json", ".lock", ".txt", ".yml", ".yaml", ".mako", ".svg", "", *CODE}
    complain(flaw for name in ours(*texts) if name != "LICENSE" for flaw in flaws_in_places(name, read(name)))


def test_a_plugin_imports_the_sdk_and_nothing_else_of_the_app() -> None:
    names = [name for name in ours(".py", under=("plugins/",)) if not Path(name).name.startswith("test_")]
    assert names
    complain(flaw for name in names for flaw in flaws_in_plugin_imports(name, read(name)))


def test_pages_and_api_write_through_actions_only() -> None:
    complain(flaw for name in ours(".py", under=("app/web/",)) for flaw in flaws_in_writes(name, read(name)))


PLANTED = {
    "no first line": lambda: flaw_in_first_line("x.py", "import os\n"),
    "an empty file": lambda: flaw_in_first_line("x.py", ""),
    "one word": lambda: flaw_in_first_line("x.css", "/* tokens */"),
    "a shell script that starts at once": lambda: flaw_in_first_line("x.sh", "#!/bin/sh\nset -e\n"),
    "a long file": lambda: flaw_in_length("x.py", "a = 1\n" * (LONGEST_FILE + 1)),
    "a long function": lambda: flaws_in_functions("x.py", "def f():\n" + "    a = 1\n" * LONGEST_FUNCTION),
    "a noqa without a reason": lambda: flaws_in_comments("x.py", "a = 1  # " + "noqa: E501\n"),
    "a noqa for everything": lambda: flaws_in_comments("x.py", "a = 1  # " + "noqa, because I say so\n"),
    "an ignore without a reason": lambda: flaws_in_comments("x.py", "a = 1  # type" + ": ignore[misc]\n"),
    "a broad except": lambda: flaws_in_excepts("app/x.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
    "a bare except": lambda: flaws_in_excepts("app/x.py", "try:\n    f()\nexcept:\n    pass\n"),
    "a broad except in company": lambda: flaws_in_excepts("app/x.py", "try:\n    f()\nexcept (OSError, Exception):\n    g()\n"),
    "a name that says nothing": lambda: flaws_in_name("app/web/form_utils.py"),
    "a folder that says nothing": lambda: flaws_in_name("app/core/job.py"),
    "a machine's path": lambda: flaws_in_places("x.md", "see /" + "root/project/x"),
    "a registry": lambda: flaws_in_places("x.lock", "https://" + "pypi" + ".org/simple"),
    "a plugin that reaches into the app": lambda: flaws_in_plugin_imports(
        "plugins/x/plugin.py", "from app.domain.job import Job\n"
    ),
    "a plugin that takes all of the app": lambda: flaws_in_plugin_imports("plugins/x/plugin.py", "import app\n"),
    "a page that writes": lambda: flaws_in_writes("app/web/x.py", "with store.begin() as tx:\n    pass\n"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_each_rule_finds_its_planted_fault(fault: str) -> None:
    assert len(PLANTED[fault]()) == 1


def test_the_rules_let_good_code_pass() -> None:
    good = (
        '"""Says what the file is for."""\n\n'
        "try:\n    import os  # noqa: F401  # only its being there matters\n"
        "except BaseException:\n    print()\n    raise\n"
    )
    for rule in (flaw_in_first_line, flaw_in_length, flaws_in_functions, flaws_in_comments, flaws_in_excepts, flaws_in_places):
        assert rule("app/good.py", good) == []


# ---- the errors, the worker's diet, the words, the settings


def error_classes() -> Iterator[type[SightlineError]]:
    """Give every class of the error family, wherever in the app it is defined."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting: list[type[SightlineError]] = [SightlineError]
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += kind.__subclasses__()


def test_every_error_pickles_with_its_sentence_and_facts() -> None:
    kinds = list(error_classes())
    assert len(kinds) > 20
    for kind in kinds:
        names = [name for _, name, _, _ in string.Formatter().parse(kind.sentence) if name]
        facts = {name: f"some {name}" for name in names}
        error = kind(**facts)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.facts) == (kind, kind.sentence.format(**facts), facts)


def test_every_error_says_in_its_class_what_is_wrong() -> None:
    for kind in error_classes():
        assert kind is SightlineError or kind.sentence != SightlineError.sentence, f"{kind.__name__} has no sentence"
        assert inspect.getdoc(kind), f"{kind.__name__} does not say when it is raised"
        ended = kind.sentence.endswith((".", "}"))
        assert kind.sentence[0].isupper() or kind.sentence[0] == "{", f"{kind.__name__}: {kind.sentence!r} is no sentence"
        assert ended, f"{kind.__name__}: {kind.sentence!r} does not end as a sentence does"


@pytest.mark.parametrize("module", ["app.engine.worker", "app.engine.work", "app.sdk", "app.media.probe", "app.registry.load"])
def test_the_worker_stays_on_its_diet(module: str) -> None:
    asked = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    answer = subprocess.run([sys.executable, "-W", "error", "-c", asked], capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    assert set(json.loads(answer.stdout)) & WORKER_NEVER_IMPORTS == set()


def glossary() -> dict[str, str]:
    """Read the glossary: each word with what it means."""
    lines = read("docs/GLOSSARY.md").splitlines()
    entries = [re.match(r"- \*\*(.+?)\*\*(?: \(.*?\))?: (.+)", line) for line in lines]
    return {word.strip(): entry[2] for entry in entries if entry for word in entry[1].split(",")}


WORDS_OF_THE_DESIGN = """
Source, MediaInfo, Frame, Box, Detection, Track, Plugin, PluginMetadata, Stage, Pipeline, Job, Segment, Lease, Term, Worker,
Pool, Executor, Dispatcher, Breakdown, Soft failure, Warning, Device, Target, DeviceDecision, Fallback, Health, Budget, Insight,
Fact, Hub, Channel, Subscription, Preview, Overlay
"""


def test_every_noun_of_the_domain_has_its_line_in_the_glossary() -> None:
    known = glossary()
    nouns = [word.strip() for word in WORDS_OF_THE_DESIGN.replace("\n", " ").split(",")]
    for name in ours(".py", under=("app/domain/",)):
        if name != "app/domain/errors.py":
            nouns += [
                node.name for node in ast.parse(read(name)).body if isinstance(node, ast.ClassDef) and node.name[0] != "_"
            ]
    assert [noun for noun in nouns if noun not in known] == []


def test_the_glossary_says_something_about_each_word_and_is_in_order() -> None:
    known = glossary()
    assert [word for word, meaning in known.items() if len(meaning.split()) < 4] == []
    firsts = [match[1] for match in re.finditer(r"^- \*\*(\w+)", read("docs/GLOSSARY.md"), re.MULTILINE)]
    assert firsts == sorted(firsts, key=str.lower)


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_described(setting: str) -> None:
    description = Settings.model_fields[setting].description or ""
    assert len(description.split()) >= 4
    assert description.endswith(".")
    assert f"`SIGHTLINE_{setting.upper()}`" in read("docs/SETTINGS.md")
