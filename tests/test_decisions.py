"""Holds the pages of docs/adr to their form: parts, numbers, index, and names of files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/adr"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
PARTS = ["Context", "Decision", "Consequences", "Figures"]
SOURCES = ("measured beforehand", "bench", "code:", "SIGHTLINE_", "when this page was written")
LONGEST = 45  # lines: a page that needs more decides two things


def flaws_in_page(name: str, text: str) -> list[str]:
    """Say what a decision's page lacks, a sentence for each fault."""
    flaws, number = [], re.match(r"(\d{4})-[a-z0-9-]+\.md", name)
    if number is None or not text.startswith(f"# {int(number[1])}. "):
        flaws.append(f"{name} has another number in its name than in its title")
    if re.findall(r"^## (.+)$", text, re.MULTILINE) != PARTS:
        flaws.append(f"{name} has other parts than {', '.join(PARTS)}")
    flaws += [f"{name}: {part} says nothing" for part in re.findall(r"^## (.+)\n+(?=## |\Z)", text, re.MULTILINE)]
    if len(text.splitlines()) > LONGEST:
        flaws.append(f"{name} has more than {LONGEST} lines")
    figures = re.findall(r"^- .+", text.partition("## Figures")[2], re.MULTILINE)
    flaws += [f"{name} says of no figure where it is from: {line}" for line in figures if not any(s in line for s in SOURCES)]
    return flaws


def flaws_in_references(name: str, text: str) -> list[str]:
    """Name the files that a page of docs/adr speaks of and that are not there, and the constants their files do not have."""
    linked = [(FOLDER / target.partition("#")[0], target) for target in re.findall(r"\]\((?!http)([^)]+)\)", text)]
    told = [(ROOT / path, path) for path in re.findall(r"`((?:app|tests|static|templates|docs)/[\w./-]+)`", text)]
    flaws = [f"{name} speaks of {path}, which is not there" for place, path in [*linked, *told] if not place.exists()]
    for constant, path in re.findall(r"`(_?[A-Za-z_]+)` in `(app/[\w./]+\.py)`", text):
        if constant not in (ROOT / path).read_text(encoding="utf-8"):
            flaws.append(f"{name} speaks of {constant}, which {path} does not have")
    return flaws


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_decision_has_its_parts_and_names_what_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [*flaws_in_page(page.name, text), *flaws_in_references(page.name, text)] == []


def test_every_decision_is_in_the_index_under_its_title_in_order() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", index, re.MULTILINE)
    titles = [page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in PAGES]
    assert [(f"{number}. {title}", file) for number, title, file in rows] == [
        (title, page.name) for title, page in zip(titles, PAGES, strict=True)
    ]
    assert [int(number) for number, _, _ in rows] == list(range(1, len(PAGES) + 1))
    assert flaws_in_references("README.md", index) == []


@pytest.mark.parametrize("page", ["docs/ARCHITECTURE.md", "README.md"])
def test_who_reads_the_map_is_led_to_the_decisions(page: str) -> None:
    assert re.search(r"\]\((docs/)?adr/README\.md\)", (ROOT / page).read_text(encoding="utf-8"))


GOOD = """# 7. A title

## Context

It was.

## Decision

We do.

## Consequences

So it is.

## Figures

- 3 ms (bench)
"""


@pytest.mark.parametrize(
    "bad",
    [
        GOOD.replace("# 7.", "# 8."),
        GOOD.replace("## Consequences", "## Afterwards"),
        GOOD.replace("It was.\n", ""),
        GOOD.replace(" (bench)", ""),
        GOOD + "more\n" * LONGEST,
    ],
    ids=["another number", "a part is gone", "an empty part", "a figure from nowhere", "too long"],
)
def test_a_page_that_lacks_something_is_named(bad: str) -> None:
    assert flaws_in_page("0007-a-title.md", GOOD) == []
    assert len(flaws_in_page("0007-a-title.md", bad)) == 1


@pytest.mark.parametrize(
    "text", ["see [it](0099-gone.md)", "in `app/engine/gone.py`", "`GONE_S` in `app/engine/ending.py`"], ids=str
)
def test_a_name_of_nothing_is_told(text: str) -> None:
    assert len(flaws_in_references("x.md", text)) == 1
