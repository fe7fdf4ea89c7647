"""Where a plugin ran, and why: the decisions of past jobs, and the targets it can use beside what is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.devices.inventory import Inventory
from app.domain.plugin import PluginMetadata
from app.store.plugin_history import DeviceRecord
from app.web.contexts.machine import AVAILABLE, NOT_HERE, UNKNOWN
from app.web.contexts.stage import TARGET_NAMES, view_decision
from app.web.contexts.words import Sign, ago, plural

_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision made in past jobs: what was used, why, how often, and the newest job it was made in."""

    sign: Sign
    requested: str
    reason: str
    code: str
    times: str
    job: str
    when: str


@dataclass(frozen=True, slots=True)
class PossibleTarget:
    """A target the plugin can use, and whether it is here."""

    name: str
    sign: Sign
    reason: str


@dataclass(frozen=True, slots=True)
class PluginDevices:
    """Where a plugin can run and where it did."""

    targets: tuple[PossibleTarget, ...]
    past: tuple[PastDecision, ...]
    more: str


def view_devices(meta: PluginMetadata, records: Sequence[DeviceRecord], here: Inventory | None) -> PluginDevices:
    """Give the targets a plugin names, in its order, and its past decisions; `here` None says nothing of this machine."""
    states = {state.target: state for state in here.targets} if here else {}
    targets = []
    for target in meta.devices:
        state = states.get(target)
        sign = UNKNOWN if state is None else AVAILABLE if state.available else NOT_HERE
        targets.append(PossibleTarget(TARGET_NAMES[target], sign, state.reason if state else ""))
    more = len(records) - _MOST
    return PluginDevices(
        tuple(targets), tuple(map(_past, records[:_MOST])), f"And {plural(more, 'other decision')}." if more > 0 else ""
    )


def _past(record: DeviceRecord) -> PastDecision:
    view = view_decision("", record.decision)
    return PastDecision(
        view.sign, view.requested, view.reason, view.code, f"{plural(record.uses, 'time')}", f"/jobs/{record.last_job_id}",
        ago(record.last_at),
    )  # fmt: skip
