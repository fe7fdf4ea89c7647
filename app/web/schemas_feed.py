"""Who reads the feed, as the API shows it."""

from datetime import UTC, datetime
from typing import Self

from pydantic import Field

from app.insights.filter import Filter
from app.insights.reduction import Reduction
from app.insights.subscription import Subscription
from app.web.schemas_pipeline import Document


class FilterDocument(Document):
    """What a subscriber asked for; null stands for all of it. `channel` is `json`, or `html:` and a kind of page."""

    channel: str
    jobs: list[str] | None
    types: list[str] | None
    plugins: list[str] | None
    labels: list[str] | None
    min_confidence: float
    max_rate: float | None

    @classmethod
    def of(cls, wanted: Filter) -> Self:
        """Describe a filter."""
        reduction = wanted.reduction or Reduction()
        return cls(
            channel=wanted.channel,
            jobs=_listed(wanted.jobs),
            types=_listed(wanted.types),
            plugins=_listed(reduction.plugins),
            labels=_listed(reduction.labels),
            min_confidence=reduction.min_confidence,
            max_rate=wanted.max_rate,
        )


class SubscriberDocument(Document):
    """One reader of the feed: what it asked for, how far it is behind, and what it has cost since it connected."""

    filter: FilterDocument
    opened_at: datetime
    age_s: float
    busy: bool = Field(description="Whether bytes are on their way that it has not taken.")
    last_fact: int = Field(description="Number of the last fact up to which it has everything it asked for.")
    lag_facts: int = Field(description="Facts it is to get and has not.")
    lag_ms: float = Field(description="For how long it has taken nothing of what is on its way to it.")
    delivered: int = Field(description="Facts and latest values written to it, without those of its opening.")
    conflated: int = Field(description="Latest values that a newer one replaced before it took them.")
    dropped: int = Field(description="Facts lost to a gap, of which it was told.")
    bytes_sent: int

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        """Describe a subscription."""
        return cls(
            filter=FilterDocument.of(subscription.topic.wanted),
            opened_at=subscription.opened_at,
            age_s=round((datetime.now(UTC) - subscription.opened_at).total_seconds(), 3),
            busy=subscription.busy,
            last_fact=subscription.cursor.head,
            lag_facts=subscription.pending_facts,
            lag_ms=subscription.lag_ms,
            delivered=subscription.delivered,
            conflated=subscription.conflated,
            dropped=subscription.dropped,
            bytes_sent=subscription.bytes_sent,
        )


class SubscriberListDocument(Document):
    """Every reader of the feed at this moment, the one that waits longest first."""

    items: list[SubscriberDocument]
    next_cursor: str | None


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
