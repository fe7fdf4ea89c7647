"""What is this file? Measured and planned in a child process, since what comes in may be hostile to its decoder."""

import sys

import msgspec

from app.domain.errors import EmptyMedia, SightlineError, UnreadableMedia, UnsupportedSource
from app.domain.media import SourceKind, SourcePlan, SourceRef
from app.media.child import ChildFailed, confine, run_child
from app.media.identify import identify

__all__ = ["identify", "probe"]


class _Refusal(msgspec.Struct, frozen=True):
    """Why the child made no plan: the error's class and its facts."""

    error: str
    name: str
    reason: str


class _Answer(msgspec.Struct, frozen=True):
    plan: SourcePlan | None = None
    refusal: _Refusal | None = None


_ERRORS: dict[str, type[SightlineError]] = {kind.__name__: kind for kind in (EmptyMedia, UnreadableMedia, UnsupportedSource)}


async def probe(ref: SourceRef, *, timeout_s: float = 30.0) -> SourcePlan:
    """Measure a source and cut it into segments.

    Raises UnreadableMedia (also when it takes longer than `timeout_s`), EmptyMedia or UnsupportedSource.
    """
    if ref.path is None or ref.kind is SourceKind.STREAM:
        raise UnsupportedSource(name=ref.name, reason="addresses cannot be read yet")
    try:
        answer = await run_child("app.media.probe", [str(timeout_s)], timeout_s=timeout_s, given=msgspec.json.encode(ref))
    except ChildFailed as failed:
        raise UnreadableMedia(name=ref.name, reason=str(failed)) from failed
    found = msgspec.json.decode(answer, type=_Answer)
    if found.refusal is not None:
        raise _ERRORS[found.refusal.error](name=found.refusal.name, reason=found.refusal.reason)
    if found.plan is None:
        raise UnreadableMedia(name=ref.name, reason="the decoder gave no answer")
    return found.plan


def _main() -> None:
    """Child: read a SourceRef from stdin, write the plan or the refusal to stdout."""
    confine(float(sys.argv[1]))
    from app.media.planning import plan_source  # noqa: PLC0415  # the decoders are loaded in the child alone

    ref = msgspec.json.decode(sys.stdin.buffer.read(), type=SourceRef)
    try:
        answer = _Answer(plan=plan_source(ref))
    except SightlineError as error:
        answer = _Answer(refusal=_Refusal(type(error).__name__, str(error.facts["name"]), str(error.facts["reason"])))
    except MemoryError:
        answer = _Answer(refusal=_Refusal("UnreadableMedia", ref.name, "it needs more memory than a source may"))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    _main()
