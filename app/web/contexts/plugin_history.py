"""A plugin's history as its page shows it: version by version, and its newest uses."""

from dataclasses import dataclass
from typing import Final

from app.domain.health import Health
from app.store.plugin_history import PluginHistory, PluginUse, VersionRecord
from app.web.contexts.words import HEALTH_SIGNS, Sign, ago, milliseconds, moment, number, percent, plural

_MOST_USES: Final = 12
_MOST_TROUBLES: Final = 5


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a plugin."""

    version: str
    uses: str
    frames: str
    p95: str
    over: str
    failures: str
    fallbacks: str


@dataclass(frozen=True, slots=True)
class UseView:
    """One use of a plugin, by a job's stage."""

    url: str
    job: str
    stage: str
    version: str
    at: str
    frames: str
    p95: str
    failures: str
    fallback: bool
    sign: Sign | None


@dataclass(frozen=True, slots=True)
class TroubleView:
    """A use in which the plugin was not well, and why."""

    url: str
    job: str
    sign: Sign
    reason: str
    when: str


def view_history(history: PluginHistory) -> tuple[tuple[VersionView, ...], tuple[UseView, ...]]:
    """Give the versions that were used and the newest uses."""
    return tuple(map(_version, history.versions)), tuple(map(_use, history.uses[:_MOST_USES]))


def view_troubles(history: PluginHistory) -> tuple[TroubleView, ...]:
    """Give the newest uses in which the plugin was not well."""
    troubles = [use for use in history.uses if use.health not in {None, Health.OK}]
    return tuple(
        TroubleView(f"/jobs/{use.job_id}", use.job_name, HEALTH_SIGNS[use.health], use.health_reason, ago(use.at))
        for use in troubles[:_MOST_TROUBLES]
        if use.health
    )


def view_tally(history: PluginHistory) -> tuple[tuple[Sign, str], ...]:
    """Count the uses looked at by their health: a sign and how often."""
    counts = [(health, sum(use.health is health for use in history.uses)) for health in Health]
    return tuple((HEALTH_SIGNS[health], plural(count, "use")) for health, count in counts if count)


def _version(known: VersionRecord) -> VersionView:
    timing = known.timing
    return VersionView(
        version=known.version,
        uses=number(known.uses),
        frames=number(known.frames),
        p95=milliseconds(timing.percentile_ms(95)) if timing.count else "–",
        over=percent(known.over_budget / timing.count) if timing.count else "–",
        failures=number(known.soft_failures),
        fallbacks=number(known.fallbacks),
    )


def _use(use: PluginUse) -> UseView:
    return UseView(
        url=f"/jobs/{use.job_id}",
        job=use.job_name,
        stage=use.stage,
        version=use.version or "–",
        at=moment(use.at),
        frames=number(use.frames),
        p95=milliseconds(use.timing.percentile_ms(95)) if use.timing.count else "–",
        failures=number(use.soft_failures),
        fallback=use.fallback,
        sign=HEALTH_SIGNS[use.health] if use.health else None,
    )
