"""What a plugin is held to, one function to a check: each gives what it looked at, or raises with the bug's name."""

import random
from collections.abc import Callable, Mapping
from typing import Final

from app.domain.frame import Frame
from app.domain.output import Output
from app.engine.stages import RowError
from app.testing import CHECKS
from app.testing.compare import find_difference, find_difference_in_values
from app.testing.diagnosis import diagnose
from app.testing.endurance import leaks_nothing, loads_in_prepare, stays_in_budget
from app.testing.failure import CheckFailed, NotApplicable, shown
from app.testing.harness import Harness
from app.testing.sample import bare, odd_frames, strided
from app.testing.trial import Run, Trial

_SEED: Final = 7


def prepares(h: Harness) -> str:
    """A fresh instance is built and prepared, and so is a second one beside it."""
    trials = [h.trial() for _ in range(2)]
    used = trials[0].decision.used
    return f"2 instances, on {used.value if used else 'no network'}"


def gives_typed_outputs(h: Harness) -> str:
    """Each frame gives an output of the declared type that may be stored."""
    for frame, given in zip(h.straight.frames, h.straight.given, strict=True):
        if isinstance(given, RowError):
            trial = h.trial()
            raise _untyped(h, "gives-typed-outputs", trial, frame, _once_more(h, trial, frame, given))
    return _frames(len(h.frames))


def leaves_frames_alone(h: Harness) -> str:
    """The pixels of a frame are the same after it was processed."""
    _sees_pixels(h)
    cure = "Work on a copy: frame.pixels.copy()."
    for frame, given in zip(h.straight.frames, h.straight.given, strict=True):
        bug = diagnose(given, None).bug if isinstance(given, RowError) and given.code == "exception" else ""
        if "is written to" in bug:
            raise CheckFailed.on("leaves-frames-alone", bug, cure=cure, frame=frame.index)
    for frame in h.straight.changed:
        bug = "the frame is written to: its pixels are others than before"
        raise CheckFailed.on("leaves-frames-alone", bug, cure=cure, frame=frame.index)
    return _frames(len(h.frames))


def gives_what_is_expected(h: Harness) -> str:
    """The sample gives the golden output, and the golden summary."""
    golden = h.expected
    if golden is None:
        raise NotApplicable("it has no expected.json that can be read")
    check, trial, rows = "gives-what-is-expected", h.trial(), []
    wanted = {frame.frame_index: frame.output for frame in golden.frames}
    for frame in h.every_frame():
        given = trial.process(frame)
        rows.append((bare(frame), given))
        expected = wanted.pop(frame.index, None)
        if expected is None:
            continue
        if isinstance(given, RowError):
            raise _untyped(h, check, trial, frame, given)
        if difference := find_difference(expected, given, golden.tolerance):
            bug = f"another output than expected: {difference}"
            raise _difference(h, check, bug, frame=frame, expected=expected, came=given, cure=_ACCEPT)
    if wanted:
        raise CheckFailed.on(check, f"expected.json expects frame {min(wanted)}, but the sample has {len(rows)} frames")
    summed = h.sum_up(rows)
    if golden.summary is None:
        return f"{_frames(len(golden.frames))}, no summary"
    within = golden.tolerance.get("summary", 1e-6)
    flaw = summed.error or find_difference_in_values("summary", golden.summary, summed.summary, {}, within)
    if flaw:
        expected_, came = shown(golden.summary), shown(summed.summary)
        raise CheckFailed.on(check, f"another summary than expected: {flaw}", cure=_ACCEPT, expected=expected_, came=came)
    return f"{_frames(len(golden.frames))} and the summary"


def repeats_itself(h: Harness) -> str:
    """Two fresh instances give the same for the same frames."""
    check = "repeats-itself"
    first, second = h.straight, h.again
    unlike = _first_unlike(first, second)
    if unlike is None:
        return _frames(len(h.frames))
    h.forget_code()
    if _first_unlike(first, h.run()) is None:
        bug = "state outside the instance: a second instance gives another output, freshly imported code the same again"
        cure = "Keep state on self, and set it in prepare; a module or class is shared by all jobs of a worker."
    else:
        bug = "not the same twice: the same frames give another output each time"
        cure = "Seed what is random from what is seen, and leave out the clock and the order of sets."
    expected, came = first.by_frame()[unlike.index], second.by_frame()[unlike.index]
    raise _difference(h, check, bug, frame=unlike, expected=expected, came=came, cure=cure)


def keeps_no_state(h: Harness) -> str:
    """A stateless plugin gives the same for a frame whatever came before it."""
    if h.metadata.stateful:
        raise NotApplicable("it is stateful")
    if _first_unlike(h.straight, h.again) is not None:
        raise NotApplicable("it is not the same twice, which the check repeats-itself tells")
    shuffled = list(reversed(h.frames))
    random.Random(_SEED).shuffle(shuffled)  # noqa: S311  # the same order each time is what is wanted
    mixed = h.run(shuffled)
    unlike = _first_unlike(h.straight, mixed)
    if unlike is not None:
        place = [frame.index for frame in shuffled].index(unlike.index)
        before = f"when frame {shuffled[place - 1].index} comes before it" if place else "when it comes first"
        bug = f"state in a stateless plugin: a frame gives another output {before}"
        cure = "Keep nothing from frame to frame, or declare stateful = true in plugin.toml."
        expected, came = h.straight.by_frame()[unlike.index], mixed.by_frame()[unlike.index]
        raise _difference(h, "keeps-no-state", bug, frame=unlike, expected=expected, came=came, cure=cure)
    return f"{_frames(len(h.frames))}, shuffled"


def survives_a_replay(h: Harness) -> str:
    """A stateful plugin that is replayed after a crash goes on as if nothing had happened."""
    if not h.metadata.stateful:
        raise NotApplicable("it is stateless: after a crash it goes on with the next frame")
    if h.metadata.warmup_frames is not None:
        raise NotApplicable(f"it begins again {h.metadata.warmup_frames} frames earlier, and says so")
    half, undisturbed = len(h.frames) // 2, h.straight.given
    again = h.trial()
    for frame in h.frames[:half]:
        again.process(frame)  # outputs discarded
    for frame, wanted in zip(h.frames[half:], undisturbed[half:], strict=True):
        came = again.process(frame)
        if came != wanted:
            bug = f"not the same after a replay: {half} frames were seen again"
            cure = "Let the state depend on the frames alone."
            raise _difference(h, "survives-a-replay", bug, frame=frame, expected=wanted, came=came, cure=cure)
    return f"{half} of {_frames(len(h.frames))} seen again"


def sums_up_from_outputs(h: Harness) -> str:
    """Finalize gives the same on a fresh instance as on the one that saw the frames, and sums up nothing as well."""
    check = "sums-up-from-outputs"
    rows = list(zip(h.frames, h.straight.given, strict=True))
    fresh, seen = h.sum_up(rows), h.sum_up(rows, h.straight.trial)
    if fresh != seen:
        bug = "finalize reads instance memory: a fresh instance sums the same outputs up otherwise"
        cure = "Sum up what `outputs` yields; it runs on a fresh instance, whatever workers did the frames."
        came = fresh.error or shown(fresh.summary)
        raise CheckFailed.on(check, bug, cure=cure, expected=seen.error or shown(seen.summary), came=came)
    for summed, of in ((fresh, "its outputs"), (h.sum_up([]), "no outputs at all")):
        if summed.error:
            cure = "A job may end before its first frame, and a stage may give nothing on any."
            raise CheckFailed.on(check, f"finalize failed over {of}: {summed.error}", cure=cure)
    return f"{_frames(len(rows))}, and none"


def takes_any_frame(h: Harness) -> str:
    """A frame of any shape gives a valid output, and rows that are strided the same as rows that are not."""
    _sees_pixels(h)
    if h.metadata.needs_outputs:
        raise NotApplicable("it reads earlier stages' outputs, which belong to the sample's frames")
    for frame in odd_frames():
        _typed(h, "takes-any-frame", h.trial(), frame)
    frame = h.frames[0]
    plain, came = h.trial().process(frame), h.trial().process(strided(frame))
    if plain != came:
        bug, cure = "rows that are strided give another output", "Go by the array's strides, or copy: np.ascontiguousarray."
        raise _difference(h, "takes-any-frame", bug, frame=frame, expected=plain, came=came, cure=cure)
    return f"{_frames(len(odd_frames()) + 1)}, from 1 × 1 on"


CHECK_OF: Final[Mapping[str, Callable[[Harness], str]]] = dict(
    zip(
        CHECKS,
        (
            prepares, gives_typed_outputs, leaves_frames_alone, gives_what_is_expected, repeats_itself, keeps_no_state,
            survives_a_replay, sums_up_from_outputs, takes_any_frame, loads_in_prepare, leaks_nothing, stays_in_budget,
        ),
        strict=True,
    )
)  # fmt: skip
_ACCEPT: Final = "Where the new one is right, accept it: sightline plugins test ID --accept."


def _typed(h: Harness, check: str, trial: Trial, frame: Frame) -> None:
    """Raise CheckFailed, with the bug's name, where a frame gives no valid output."""
    given = trial.process(frame)
    if isinstance(given, RowError):
        raise _untyped(h, check, trial, frame, given)


def _once_more(h: Harness, trial: Trial, upto: Frame, failed: RowError) -> RowError:
    """Let a fresh instance come to a frame that failed, for its witness; gives why it fails there, if it does again."""
    for frame in h.frames:
        given = trial.process(frame)
        if frame.index == upto.index:
            return given if isinstance(given, RowError) else failed
    return failed


def _untyped(h: Harness, check: str, trial: Trial, frame: Frame, error: RowError) -> CheckFailed:
    """Give the failure for a frame without a valid output; the trial has just seen it."""
    found = diagnose(error, trial.witness.given)
    wanted = f"{h.metadata.output} that may be stored"
    picture = h.picture(check, frame, wanted, error.message)
    return CheckFailed.on(
        check, found.bug, cure=found.cure, frame=frame.index, expected=wanted, came=error.message, picture=picture
    )


def _difference(
    h: Harness, check: str, bug: str, *, frame: Frame, expected: Output | RowError, came: Output | RowError, cure: str
) -> CheckFailed:
    """Give the failure with both outputs told, and drawn on the frame."""
    one, other = (output.message if isinstance(output, RowError) else output for output in (expected, came))
    picture = h.picture(check, frame, one, other)
    return CheckFailed.on(check, bug, cure=cure, frame=frame.index, expected=shown(one), came=shown(other), picture=picture)


def _first_unlike(one: Run, other: Run) -> Frame | None:
    """Find the first frame for which two runs gave another output."""
    theirs = other.by_frame()
    pairs = zip(one.frames, one.given, strict=True)
    return next((frame for frame, given in pairs if theirs[frame.index] != given), None)


def _sees_pixels(h: Harness) -> None:
    if not h.metadata.needs_pixels:
        raise NotApplicable("it does not look at pixels")


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"
