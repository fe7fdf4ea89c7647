"""A small typed client of the API and the feed, for scripts: `Client(url).follow(job)` gives insights to the job's end.

It stands on the domain alone: insights are those of `app.domain.insight`, errors are below `ServerTrouble`.
"""

from app.client.answers import Breakdown, FrameError, FrameRow, Job, JobPage, Queue, Source
from app.client.asks import JobFields
from app.client.asynchronous import AsyncClient
from app.client.client import Client
from app.client.errors import ServerRefused, ServerUnreachable, UnreadableAnswer
from app.client.feed import AsyncFeed, Feed
from app.domain.errors import ServerTrouble

__all__ = [
    "AsyncClient",
    "AsyncFeed",
    "Breakdown",
    "Client",
    "Feed",
    "FrameError",
    "FrameRow",
    "Job",
    "JobFields",
    "JobPage",
    "Queue",
    "ServerRefused",
    "ServerTrouble",
    "ServerUnreachable",
    "Source",
    "UnreadableAnswer",
]
