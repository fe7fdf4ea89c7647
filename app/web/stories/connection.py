"""Stories of a page's live connection: every state it can tell a person of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from markupsafe import Markup

from app.web.stories.story import Story
from app.web.templating import ENVIRONMENT

_STATES: Final = {
    "off": "As of when it was loaded",
    "connecting": "Connecting…",
    "live": "Live",
    "paused": "Paused by you",
    "reconnecting": "Reconnecting…",
    "stale": "Stale: nothing heard for a while",
    "ended": "Ended: nothing changes any more",
}


@dataclass(frozen=True)
class ConnectionStory(Story):
    """The connection in one state, as the page's script would set it."""

    @property
    def source(self) -> str:
        """Name of the template it shows."""
        return "components/stream.html"

    def render(self) -> Markup:
        """Render the connection as it is served, and move it on as static/js/live.js does."""
        state = self.make()["state"]
        stream: Any = ENVIRONMENT.get_template(self.source).module
        html = str(stream.connection(True, state == "ended"))
        html = html.replace('data-state="off"', f'data-state="{state}"')
        if state == "paused":
            html = html.replace('aria-pressed="false"', 'aria-pressed="true"')
        if state not in {"off", "ended"}:
            html = html.replace(" disabled>", ">")
        return Markup(html)  # noqa: S704 HTML that the templates escaped already


def _stories() -> Iterator[Story]:
    for state, words in _STATES.items():
        make: Callable[[], dict[str, str]] = partial(dict, {"state": state})
        yield ConnectionStory("connection", state.capitalize(), "What a page says of itself.", make, (words,))


CONNECTION_STORIES: Final = tuple(_stories())
