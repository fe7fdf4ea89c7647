"""Promise 5: the settings, every command's help and options, and the exit codes of real runs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.cli import main
from app.settings import Settings
from tests.conftest import ROOT, environment, write_clip
from tests.promises.change import Kind, Part, text_of
from tests.promises.promise import Baseline, Promise
from tests.promises.subject import Subject

KEPT: Final = "tests/baselines"
_HELP: Final = " — "  # parts what a command takes from the words about it


def show_settings(_subject: Subject) -> str:
    """List every setting with its type, default and limits."""
    fields = {f"SIGHTLINE_{name.upper()}": _setting(field) for name, field in Settings.model_fields.items()}
    return text_of("Settings, with their types, defaults and limits.", fields)


def show_settings_page(_subject: Subject) -> str:
    """Write docs/SETTINGS.md from the settings themselves."""
    lines = [
        "# Settings",
        "",
        "Sightline is set by the environment and by nothing else. `sightline serve --help-settings` prints the same list.",
        "This page is written by `sightline check --accept settings` from `app/settings.py`; the check compares the two.",
        "",
        "| setting | default | what it does |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "by the machine" if field.default is PydanticUndefined else f"`{json.dumps(field.default)}`"
        lines.append(f"| `SIGHTLINE_{name.upper()}` | {default} | {field.description} |")
    return "\n".join([*lines, ""])


def show_commands(_subject: Subject) -> str:
    """List every command with its arguments, options and help."""
    return text_of("Commands with their arguments, options and help.", dict(_of_command("sightline", main)))


def show_exit_codes(subject: Subject) -> str:
    """Run real commands, and write down how each ended."""
    return text_of("How real commands end.", exit_codes(subject.folder))


def weigh_command(part: Part) -> Kind:
    """An option that must be given breaks callers; words of help may be worded anew."""
    if part.new_name or part.now is None:
        return Kind.BREAKING
    if part.before is None:
        return Kind.BREAKING if "required" in _taken(part.now) and "argument" not in part.now else Kind.ADDITIVE
    return Kind.ADDITIVE if _taken(part.before) == _taken(part.now) else Kind.BREAKING


def _taken(value: str) -> str:
    return value.partition(_HELP)[0]


def _setting(field: FieldInfo) -> str:
    kind = getattr(field.annotation, "__name__", str(field.annotation))
    default = "by the machine" if field.default is PydanticUndefined else json.dumps(field.default)
    words = {Ge: "at least {0.ge:g}", Gt: "more than {0.gt:g}", Le: "at most {0.le:g}", Lt: "less than {0.lt:g}"}
    limits = [words[type(limit)].format(limit) for limit in field.metadata if type(limit) in words]
    return ", ".join([kind, f"default {default}", *limits])


def _of_command(name: str, command: click.Command) -> Iterator[tuple[str, str]]:
    help_text = " ".join((command.help or "").split())
    yield name, f"command{_HELP}{help_text}"
    context = click.Context(command, info_name=name)
    for parameter in command.get_params(context):
        called = " ".join([*parameter.opts, *parameter.secondary_opts])
        kind = (
            "argument"
            if isinstance(parameter, click.Argument)
            else "flag"
            if getattr(parameter, "is_flag", False)
            else "option"
        )
        yield f"{name} {called}", f"{kind}, {_parameter(parameter, context)}"
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            yield from _of_command(f"{name} {sub}", found) if found else ()


def _parameter(parameter: click.Parameter, context: click.Context) -> str:
    told = [_type(parameter.type)]
    told += ["required"] if parameter.required else []
    told += ["may be repeated"] if parameter.multiple or parameter.nargs == -1 else []
    default = parameter.to_info_dict()["default"]
    told += [f"default {default}"] if isinstance(default, str | int | float) and not isinstance(default, bool) else []
    words = getattr(parameter, "help", None)
    return ", ".join(told) + (f"{_HELP}{words}" if words else "")


def _type(kind: Any) -> str:
    if isinstance(kind, click.Choice):
        return "|".join(map(str, kind.choices))
    if isinstance(kind, click.IntRange | click.FloatRange):
        return f"{kind.name} {kind.min}..{kind.max}"
    return str(kind.name)


_ENDINGS: Final = {  # what is asked; {clip} is a real clip, {plugin} a plugin's folder with an error in it, {home} a folder
    "--version": "--version",
    "--help": "--help",
    "an unknown command": "dance",
    "an unknown option": "jobs list --colour red",
    "migrate": "migrate",
    "jobs list": "jobs list --json",
    "jobs show, of a job that is not there": "jobs show none",
    "plugins list": "plugins list --json",
    "plugins validate, without fault": "plugins validate {good}",
    "plugins validate, with an error": "plugins validate {plugin}",
    "plugins validate, where there is no plugin": "plugins validate {home}",
    "run, of a file that is not there": "run nothing.mp4 --plugin people_hog",
    "run, with an unknown plugin": "run {clip} --plugin nobody",
    "run, of a job that is done": "run {clip} --plugin motion_mog2 --json",
    "run, of a job that failed": "run {clip} --plugin shapes_dnn --device cuda --strict-device --json",
}
_FORKING: Final = """
import gc, json, os, sys
import app.cli
for name in app.cli.COMMANDS:
    app.cli.main.get_command(None, name)
gc.freeze()
endings = {}
for name, words in json.loads(sys.argv[1]).items():
    if (child := os.fork()) == 0:
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, 1), os.dup2(silence, 2)
        sys.argv = ["sightline", *words]
        code = 1  # what Python ends with where nobody catches an exception
        try:
            app.cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            os._exit(code)  # without taking down what the parent goes on using
    endings[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(endings))
"""  # one interpreter is started, and forked for each command: importing everything takes longer than most commands


def exit_codes(folder: Path) -> dict[str, str]:
    """Run every command of the list in a process of its own, with an empty home, and give how it ended."""
    home = folder / "commands"
    broken = home / "broken"
    broken.mkdir(parents=True)
    (broken / "plugin.toml").write_text('id = "broken"\n')
    places = {
        "clip": str(write_clip(home / "clip.mp4", frames=30)),
        "plugin": str(broken),
        "good": str(ROOT / "plugins/qr_codes"),
    }
    (home / "nothing").mkdir()
    places["home"] = str(home / "nothing")
    asked = {name: [word.format(**places) for word in words.split()] for name, words in _ENDINGS.items()}
    command = [sys.executable, "-c", _FORKING, json.dumps(asked)]
    env = environment(home) | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "SIGHTLINE_WORKERS": "1"}
    answer = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=300)
    if answer.returncode:
        raise RuntimeError(f"the commands could not be run: {answer.stderr}")
    endings: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return {f"sightline {name}": f"exit code {code}" for name, code in endings.items()}


SETTINGS = Promise(
    "settings",
    "every setting with its default and limits, and the page about them",
    baselines=(
        Baseline(f"{KEPT}/settings.txt", show_settings),
        Baseline("docs/SETTINGS.md", show_settings_page, parts=lambda _text: {}),
    ),
)
COMMANDS = Promise(
    "commands",
    "every command with its options and help, and the exit codes of real commands",
    baselines=(
        Baseline(f"{KEPT}/commands.txt", show_commands, weigh=weigh_command),
        Baseline(f"{KEPT}/exit-codes.txt", show_exit_codes),
    ),
)
