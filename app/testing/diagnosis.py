"""Names the bug behind a soft failure, so that its message says what to mend."""

import re
from typing import Any, Final, NamedTuple

from app.domain.output import Detections, Text
from app.engine.stages import RowError


class Diagnosis(NamedTuple):
    """A bug by its name, and what to do about it."""

    bug: str
    cure: str


_READ_ONLY: Final = re.compile(r"read-?only|WRITEABLE", re.IGNORECASE)


def diagnose(error: RowError, given: Any) -> Diagnosis:
    """Name the bug; `given` is what process_frame gave, None where it raised."""
    if error.code == "bad_output":
        return _of_output(error.message, given)
    if _READ_ONLY.search(error.message):
        bug = "the frame is written to: other stages see the same pixels, so they cannot be written"
        return Diagnosis(f"{bug} ({error.message})", "Work on a copy: frame.pixels.copy().")
    if "networks are bound in prepare" in error.message:
        bug = "prepare comes too late: a network is bound on a frame"
        return Diagnosis(f"{bug} ({error.message})", "Call context.attach in prepare.")
    if error.message.startswith("AttributeError") and "object has no attribute" in error.message:
        cure = "Set in prepare whatever process_frame reads; nothing else is called before the first frame."
        return Diagnosis(f"process_frame reads what prepare did not set ({error.message})", cure)
    cure = "A frame on which nothing is found is a valid output with an empty list, not an exception."
    return Diagnosis(f"process_frame failed: {error.message}", cure)


def _of_output(message: str, given: Any) -> Diagnosis:
    if message.startswith("process_frame gave"):
        cure = "Return the typed output that plugin.toml declares, or declare the one returned."
        return Diagnosis(f"an output of another type: {message}", cure)
    confidence = re.match(r"confidence is (-?[\d.]+)", message)
    if confidence and 1 < float(confidence[1]) <= 100:
        return Diagnosis(f"a confidence in per cent: {message}", "Divide by 100: a confidence is 0 to 1.")
    if re.match(r"box \[.*is not within the frame", message) and _largest(given) > 2:
        cure = "Box takes fractions: Box.from_pixels(x, y, w, h, frame.size) makes them."
        return Diagnosis(f"boxes in pixels: {message}", cure)
    if "numpy" in message or re.search(r" is a (float|int|u?int)\d+", message):
        return Diagnosis(f"a number of numpy's: {message}", "Make it a plain one: float(value), int(value).")
    return Diagnosis(f"an output that cannot be stored: {message}", "Give what the typed output's description says.")


def _largest(given: Any) -> float:
    """The largest number in any box."""
    places = given.detections if isinstance(given, Detections) else given.blocks if isinstance(given, Text) else ()
    return max((abs(float(value)) for place in places for value in place.box), default=0.0)
