"""The stories: every live component of the pages in every state; gallery, Storybook and tests read this one list."""

from functools import cache
from typing import Final

from app.web.stories.connection import CONNECTION_STORIES
from app.web.stories.job import JOB_STORIES
from app.web.stories.job_page import JOB_PAGE_STORIES
from app.web.stories.jobs import LIST_STORIES
from app.web.stories.live import LIVE_STORIES
from app.web.stories.machine import MACHINE_STORIES
from app.web.stories.new_job import NEW_JOB_STORIES
from app.web.stories.plugin import PLUGIN_STORIES
from app.web.stories.stage import STAGE_STORIES
from app.web.stories.story import Story, ToldStory, tell

__all__ = ["BY_ID", "STORIES", "Story", "ToldStory", "gallery", "tell"]

STORIES: Final[tuple[Story, ...]] = (
    *LIVE_STORIES, *CONNECTION_STORIES, *JOB_STORIES, *JOB_PAGE_STORIES, *STAGE_STORIES, *LIST_STORIES, *MACHINE_STORIES,
    *NEW_JOB_STORIES, *PLUGIN_STORIES,
)  # fmt: skip
BY_ID: Final = {story.id: story for story in STORIES}


@cache
def gallery() -> tuple[ToldStory, ...]:
    """Tell every story once; they never change while the server runs."""
    return tuple(tell(story, number) for number, story in enumerate(STORIES, 1))
