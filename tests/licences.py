"""Lists every locked dependency with its licence and why it is here: `python -m tests.licences` writes docs/LICENCES.md."""

import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = "docs/LICENCES.md"
HERE_IS_READ: Final = (
    sys.platform == "linux" and platform.machine() == "x86_64"
)  # wheels of other machines carry other libraries

WHY: Final = {  # every direct dependency; what the others are here for is said by who needs them
    "alembic": "brings the database's schema from version to version",
    "anyio": "structured concurrency and threads of the server",
    "av": "FFmpeg: decodes videos and streams",
    "click": "the command line",
    "hatchling": "builds the wheel",
    "httptools": "parses HTTP for the server",
    "httpx": "the client, and fetching model files",
    "httpx-sse": "reads the feed in the client",
    "hypothesis": "tests with generated values",
    "import-linter": "holds the direction of imports",
    "jinja2": "renders the pages",
    "jsonschema": "holds answers to their schemas in tests",
    "msgspec": "messages of the workers, rows and insights as JSON",
    "mypy": "checks types",
    "numpy": "the pixels and what networks give",
    "onnxruntime": "runs networks beside OpenCV",
    "openapi-spec-validator": "checks the OpenAPI document in tests",
    "opencv-contrib-python-headless": "runs networks, and what plugins do with pictures",
    "platformdirs": "where data lie by the platform's convention",
    "playwright": "drives the browser in tests",
    "prometheus-client": "writes /metrics",
    "psutil": "load of the machine and of the workers",
    "psycopg": "speaks to Postgres",
    "pycocotools": "reads the COCO export in tests",
    "pydantic": "checks what comes in from outside",
    "pydantic-settings": "reads the settings",
    "pytest": "runs the tests",
    "pytest-timeout": "ends tests that hang",
    "pytest-xdist": "runs tests in several processes",
    "python-multipart": "reads uploads while they come in",
    "rich": "tables and progress in the terminal",
    "ruff": "style and formatting",
    "sqlalchemy": "speaks to the database, SQLite and Postgres alike",
    "sse-starlette": "keeps the feed's connections",
    "starlette": "the web framework",
    "types-psutil": "psutil's types for mypy",
    "uvicorn": "the HTTP server",
    "uvloop": "the server's event loop",
}
SPELT: Final = {  # as packages without a licence expression spell their licence
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "FreeBSD": "BSD-2-Clause",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
SPDX: Final = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "LGPL-3.0-only",
    "MIT",
    "MPL-2.0",
    "PSF-2.0",
    "Zlib",
}
READ: Final = {  # read in the package's own files, by name and version where the licence may change unseen
    "colorama 0.4.6": "BSD-3-Clause",  # on Windows alone
    "jinja2 3.1.6": "BSD-3-Clause",
    "numpy 2.4.6": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",  # one of the two is here, by Python's version
    "numpy 2.5.5": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "tzdata 2026.6": "Apache-2.0",  # on Windows alone
    "uvloop 0.23.0": "MIT OR Apache-2.0",
}
_LIBRARY: Final = re.compile(r"\.libs/lib([\w-]+?)-[0-9a-f]{8}\b")
_ROW: Final = re.compile(r"^\| ([a-z][\w-]*) \| (\S+)(?: \(.*?\))? \| ([^|]+?) \|", re.MULTILINE)
COPYLEFT: Final = re.compile(r"GPL|MPL")
BUNDLED: Final = {  # copyleft libraries that wheels carry beside their modules, as their projects license them
    "asound": "LGPL-2.1-or-later",
    "crypt": "LGPL-2.1-or-later",
    "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "gmp": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "gnutls": "LGPL-2.1-or-later",
    "hogweed": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "keyutils": "LGPL-2.1-or-later",
    "mp3lame": "LGPL-2.0-or-later",
    "nettle": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "quadmath": "LGPL-2.1-or-later",
    "unistring": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
}
FFMPEG: Final = {"avcodec", "avdevice", "avfilter", "avformat", "avutil", "swresample", "swscale"}
PERMISSIVE: Final = {  # the other libraries that wheels carry: each was looked up, so that a new one is noticed
    "SvtAv1Enc", "Xau", "aom", "avif", "com_err", "crypto", "dav1d", "drm", "gssapi_krb5", "k5crypto", "krb5", "krb5support",
    "lber", "ldap", "openblasp-r0", "opencore-amrnb", "opencore-amrwb", "opus", "png16", "pq", "sasl2", "scipy_openblas64_",
    "sharpyuv", "ssl", "vpl", "vpx", "webp", "webpmux", "xcb", "xcb-shape", "xcb-shm", "xcb-xfixes",
}  # fmt: skip


class Unknown(Exception):
    """Something of a dependency that somebody must look up and write down here."""


class Locked(NamedTuple):
    """A line of requirements.lock: name, version, the condition under which it is installed, and who needs it."""

    name: str
    version: str
    condition: str
    needed_by: tuple[str, ...]


def locked(root: Path = ROOT) -> list[Locked]:
    """Read requirements.lock."""
    entries = re.split(r"^(?=[a-z0-9])", (root / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = []
    for entry in entries:
        head = re.match(r"(\S+?)==(\S+)(?: ; (.*?))? \\\n", entry)
        if head is None:
            raise Unknown(f"requirements.lock has a line that cannot be read: {entry.splitlines()[0]}")
        _, _, via = entry.partition("# via")
        needed_by = re.findall(r"^[#\s]*([\w.-]+)", via.replace("# ", ""), re.MULTILINE)
        found.append(Locked(head[1], head[2], head[3] or "", tuple(needed_by)))
    return found


def licence_of(entry: Locked, kept: Mapping[str, str] = {}) -> str:
    """Give a package's licence as an SPDX expression; raise Unknown where nobody has read it.

    `kept` says what the page has for packages by name and version: it counts for what is not installed here.
    """
    which, here = f"{entry.name} {entry.version}", installed(entry)
    if which in READ:
        return READ[which]
    if here is None:
        if which in kept:
            return kept[which]
        raise Unknown(f"{which} is not installed here: read its licence and write it into READ")
    told = here.metadata
    if told.get("License-Expression"):
        return str(told["License-Expression"])
    said = [told.get("License") or "", *(c.rpartition(" :: ")[2] for c in told.get_all("Classifier") or () if "License" in c)]
    known = next((SPELT.get(text, text) for text in said if SPELT.get(text, text) in SPDX), None)
    if known is None:
        raise Unknown(f"{which} says of its licence only {said}: read it and write it into READ")
    return known


def installed(entry: Locked) -> Distribution | None:
    """Give the installed package, where it is here in the locked version."""
    try:
        found = distribution(entry.name)
    except PackageNotFoundError:
        return None
    return found if found.version == entry.version else None


def parts_of(entries: list[Locked], root: Path = ROOT) -> dict[str, list[Locked]]:
    """Tell what comes with Sightline from what extras bring, and from what only its development needs."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    always = project["project"]["dependencies"]
    extras = [need for needs in project["project"]["optional-dependencies"].values() for need in needs]
    run, optional = reached(entries, _names(always)), reached(entries, _names(extras))
    return {
        "always": [entry for entry in entries if entry.name in run],
        "optional": [entry for entry in entries if entry.name in optional - run],
        "development": [entry for entry in entries if entry.name not in run | optional],
    }


def reached(entries: list[Locked], roots: set[str]) -> set[str]:
    """Names of some packages and of all that they need."""
    found, more = set[str](), set(roots)
    while more:
        found |= more
        more = {entry.name for entry in entries if found.intersection(entry.needed_by)} - found
    return found


def bundled(entry: Locked) -> Iterator[tuple[str, str]]:
    """Tell of each copyleft library in an installed wheel, with its licence; FFmpeg's is read from itself."""
    here = installed(entry)
    files = list(here.files or ()) if here is not None else []
    yield from copyleft_among(f"{entry.name} {entry.version}", [file.as_posix() for file in files])
    for file in files:
        if "/libavcodec-" in file.as_posix():
            said = re.search(rb"libavcodec license: ([\w .]+)", Path(str(file.locate())).read_bytes())
            yield "FFmpeg", said[1].decode() if said else "not told"


def copyleft_among(wheel: str, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Tell of each copyleft library among a wheel's files; raise Unknown for one that nobody has looked up."""
    names = {found[1] for file in files if (found := _LIBRARY.search(file))}
    for name in sorted(names, key=str.lower):
        if name in BUNDLED:
            yield f"lib{name}", BUNDLED[name]
        elif name not in FFMPEG | PERMISSIVE:
            raise Unknown(f"{wheel} carries lib{name}: look its licence up")


def page(root: Path = ROOT) -> str:
    """Write the page; what is not installed here, and other machines' wheels, are told as the page there tells them."""
    entries, text = locked(root), (root / "tests/licences.md").read_text(encoding="utf-8")
    rows = _ROW.findall((root / PAGE).read_text(encoding="utf-8")) if (root / PAGE).is_file() else []
    kept = {f"{name} {version}": licence.strip("*") for name, version, licence in rows}
    for part, members in parts_of(entries, root).items():
        text = text.replace(f"{{{part}}}", "\n".join(_row(entry, licence_of(entry, kept)) for entry in members))
    told: list[str] = []
    for entry in entries:
        libraries: Iterable[tuple[str, str]] = ((library, licence) for name, library, licence in rows if name == entry.name)
        if installed(entry) is not None:
            libraries = bundled(entry) if HERE_IS_READ else libraries
        elif any(other.name == entry.name and installed(other) for other in entries):
            continue  # the other version of it is here
        told += [f"| {entry.name} | {library} | {licence} |" for library, licence in libraries if library[0].isalpha()]
    return text.replace("{bundled}", "\n".join(dict.fromkeys(told)))


def _names(needs: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;]", need)[0].lower() for need in needs}


def _row(entry: Locked, licence: str) -> str:
    needs = [name for name in entry.needed_by if name != "sightline"]
    why = WHY.get(entry.name) if "sightline" in entry.needed_by else f"for {', '.join(needs)}"
    if why is None:
        raise Unknown(f"{entry.name} is a new dependency: say in WHY what it is here for")
    where = f" (`{entry.condition}`)" if entry.condition else ""
    shown = f"**{licence}**" if COPYLEFT.search(licence) else licence
    return f"| {entry.name} | {entry.version}{where} | {shown} | {why} |"


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
