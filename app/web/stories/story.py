"""A story: one component of the pages in one state, told by the product's own templates, with the words it must show."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from markupsafe import Markup

from app.web.render import fragment

_NAMING: Final = re.compile(
    r'\b(id|for|form|list|aria-labelledby|aria-describedby|aria-controls|aria-owns|popovertarget)="([^"]+)"'
)
_LANDMARKS: Final = re.compile(r'(<section[^>]*?) aria-labelledby="[^"]*"')
_LINKS: Final = re.compile(r'\b(href|hx-target|hx-select)="#([^"]+)"')
_GROUPS: Final = re.compile(r'((?:<details\b|<input\b[^>]*type="radio")[^>]*) name="([^"]+)"')


@dataclass(frozen=True)
class Story:
    """One example of a fragment; `make` gives its context when the story is told, `shows` are words a person then reads."""

    fragment: str
    title: str
    note: str
    make: Callable[[], Mapping[str, Any]]
    shows: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its name in addresses, the same in the gallery and in Storybook: `job-status--running`."""
        return f"{kebab(self.fragment)}--{kebab(self.title)}"

    @property
    def source(self) -> str:
        """Name of the template it shows."""
        return f"fragments/{self.fragment}.html"

    @property
    def unseen(self) -> bool:
        """Say whether there is nothing in it for a person to see."""
        return not re.sub(r"<[^>]*>|\s", "", re.sub(r"<[^>]* hidden>[^<]*<", "<", self.html))

    @cached_property
    def html(self) -> Markup:
        """Its HTML, with the ids the product gives; made once."""
        html = self.render()
        return Markup('<ul class="lines">{}</ul>').format(html) if html.lstrip().startswith("<li") else html

    def render(self) -> Markup:
        """Render its fragment."""
        return fragment(self.fragment, **self.make())


@dataclass(frozen=True, slots=True)
class ToldStory:
    """A story in the gallery, where its ids are its own."""

    story: Story
    html: Markup


def tell(story: Story, number: int) -> ToldStory:
    """Give a story ids with a prefix, so that many stories may stand on one page."""
    return ToldStory(story, with_own_ids(story.html, f"s{number}-"))


def with_own_ids(html: Markup, prefix: str) -> Markup:
    """Prefix every id of a piece of HTML, and every reference to one."""
    own = _NAMING.sub(lambda found: f'{found[1]}="{" ".join(prefix + name for name in found[2].split())}"', html)
    own = _LINKS.sub(rf'\1="#{prefix}\2"', own)
    own = _GROUPS.sub(rf'\1 name="{prefix}\2"', own)
    own = _LANDMARKS.sub(r"\1", own)  # the same part told several times is no landmark of the gallery
    return Markup(own)  # noqa: S704 HTML that the templates escaped already


def kebab(words: str) -> str:
    """Write words as Storybook writes them in its addresses: small letters, and figures apart from them, joined by hyphens."""
    return "-".join(re.findall(r"[a-z]+|[0-9]+", words.lower()))
