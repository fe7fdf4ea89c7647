"""Promise 7: the index of the stories, the same in gallery and Storybook, each told with the templates that are there."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from jinja2 import TemplateError

from app.web.stories import STORIES
from app.web.stories.story import kebab
from tests.promises.change import text_of
from tests.promises.promise import Baseline, Promise, Rule
from tests.promises.subject import Subject
from tests.storybook.export import export

KEPT: Final = "tests/baselines"


def show(_subject: Subject) -> str:
    """List every story by its id in addresses, with the template it shows."""
    return text_of("Stories of the gallery and the Storybook.", {story.id: story.source for story in STORIES})


def untold(_subject: Subject) -> Iterator[str]:
    """Say which story cannot be told, or stands twice."""
    for story in STORIES:
        try:
            story.render()
        except TemplateError as error:
            yield f"The story {story.id} cannot be told: {type(error).__name__}: {error}."
    counts = Counter(story.id for story in STORIES)
    yield from (f"The story {name} stands {count} times." for name, count in counts.items() if count > 1)


def not_in_both(subject: Subject) -> Iterator[str]:
    """Say which story the Storybook's modules have and the gallery has not, or the other way round."""
    written = set()
    try:
        modules = export(subject.folder / "storybook")
    except TemplateError as error:
        yield f"The stories cannot be written for the Storybook: {type(error).__name__}: {error}."
        return
    for module in modules:
        text = module.read_text(encoding="utf-8")
        component = re.search(r'export default .* id: "([^"]+)"', text)
        names = re.findall(r'^export const \w+ = \{ name: "([^"]+)"', text, re.MULTILINE)
        written |= {f"{component[1] if component else module.stem}--{kebab(name)}" for name in names}
    told = {story.id for story in STORIES}
    yield from (f"The story {name} is not in the Storybook." for name in sorted(told - written))
    yield from (f"The story {name} is in the Storybook alone." for name in sorted(written - told))


STORY_INDEX = Promise(
    "stories",
    "the index of the stories in gallery and Storybook, each of which can be told",
    baselines=(Baseline(f"{KEPT}/stories.txt", show),),
    rules=(Rule("every story can be told", untold), Rule("gallery and Storybook have the same stories", not_in_both)),
)
