"""Writes the stories as modules for Storybook: one file for each component, with the HTML the product's templates give.

    .venv/bin/python -m tests.storybook.export [FOLDER]
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

from app.web.stories import STORIES, Story
from app.web.stories.live import LiveStory
from app.web.stories.story import kebab

FOLDER = Path(__file__).parent / "stories"


def export(folder: Path = FOLDER) -> list[Path]:
    """Write every module, and nothing else, into a folder; give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.stories.js"):
        old.unlink()
    components: dict[str, list[Story]] = defaultdict(list)
    for story in STORIES:
        components[story.fragment].append(story)
    return [write_module(folder, name, stories) for name, stories in components.items()]


def write_module(folder: Path, component: str, stories: list[Story]) -> Path:
    """Write the stories of one component."""
    noun, _, part = component.partition("_")
    title = f"{noun.capitalize()}/{part.replace('_', ' ').capitalize()}" if part else noun.capitalize()
    lines = [
        "// Written by tests/storybook/export.py from app/web/stories; do not edit.",
        'import { start, tell } from "../.storybook/tell.js";',
        f"export default {{ title: {json.dumps(title)}, id: {json.dumps(kebab(component))} }};",
        *(module_line(story) for story in stories),
    ]
    path = folder / f"{component}.stories.js"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def module_line(story: Story) -> str:
    """Give the export of one story."""
    told = {"html": story.html}
    play = ""
    if isinstance(story, LiveStory):
        told |= {"feed": story.feed, "messages": [list(message) for message in story.messages()]}
        play = ", play: start"
    name = re.sub(r"\W", "_", kebab(story.title))
    return f"export const {name} = {{ name: {json.dumps(story.title)}, render: () => tell({json.dumps(told)}){play} }};"


if __name__ == "__main__":
    print(f"{len(export(*map(Path, sys.argv[1:2])))} modules written")
