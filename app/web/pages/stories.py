"""The component gallery, and each of its stories alone; live ones are told their recording as a real feed."""

from collections.abc import AsyncGenerator

import anyio
from anyio.to_thread import run_sync
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import UnknownPage
from app.web.stories import BY_ID, Story, gallery
from app.web.stories.live import LiveStory
from app.web.templating import page


async def show_stories(request: Request) -> Response:
    """GET /stories: every component in every state."""
    return page(request, "stories", {"stories": await run_sync(gallery)})


async def show_story(request: Request) -> Response:
    """GET /stories/{story_id}: one story alone, with the ids the product gives; a live one goes on by itself."""
    story = _story(request)
    return page(request, "story", {"story": story, "feed": story.feed if isinstance(story, LiveStory) else None})


async def tell_recording(request: Request) -> Response:
    """GET /stories/{story_id}/feed: the recording of a live story, at the pace it was recorded."""
    story = _story(request)
    if not isinstance(story, LiveStory):
        raise UnknownPage(path=request.url.path)
    return EventSourceResponse(_played(story), sep="\n", ping=3600)


def _story(request: Request) -> Story:
    story = BY_ID.get(request.path_params["story_id"])
    if story is None:
        raise UnknownPage(path=request.url.path)
    return story


async def _played(story: LiveStory) -> AsyncGenerator[bytes, None]:
    start = anyio.current_time()
    for after_ms, text in story.messages():
        await anyio.sleep_until(start + after_ms / 1000)
        yield text.encode()
