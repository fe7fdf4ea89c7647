"""The component gallery."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.stories import STORIES, tell
from app.web.templating import page


async def show_stories(request: Request) -> Response:
    """GET /stories: every fragment with its canonical examples."""
    return page(request, "stories", {"stories": [tell(story, number) for number, story in enumerate(STORIES, 1)]})
