"""Writes sample.ndjson: what a detector might find of three people and a dog; who is who on which frame is known."""

import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

FRAMES: Final = 60
WIDTH, HEIGHT = 640, 480
SHAKE: Final = 0.004  # standard deviation of a detector's place, in fractions of the frame
FALSE_ALARM: Final = 33  # one frame on which the detector sees what is not there


class Walker(NamedTuple):
    """Somebody on the way: a label, the box on frame 0, its way on each frame, and the frames on which it is not found."""

    label: str
    box: tuple[float, float, float, float]
    way: tuple[float, float]
    hidden: range = range(0)
    unsure: range = range(0)  # found, but with little confidence


WALKERS: Final = (
    Walker("person", (0.05, 0.30, 0.08, 0.30), (0.012, 0.0)),
    Walker("person", (0.80, 0.32, 0.08, 0.30), (-0.012, 0.0), unsure=range(28, 36)),  # passes behind the first one
    Walker("person", (0.40, 0.05, 0.06, 0.22), (0.0, 0.008), hidden=range(20, 30)),  # is out of sight for a while
    Walker("dog", (0.09, 0.48, 0.06, 0.10), (0.012, 0.0)),  # walks at the feet of the first one
)


def found_on(index: int) -> list[tuple[int, dict[str, object]]]:
    """Give what is found on a frame: the walker's number and its detection."""
    chance, found = np.random.default_rng(index), []
    for number, walker in enumerate(WALKERS):
        if index in walker.hidden:
            continue
        x, y, w, h = walker.box
        x, y = (chance.normal(a + index * step, SHAKE) for a, step in zip((x, y), walker.way, strict=True))
        sure = 0.25 if index in walker.unsure else 0.9 - 0.1 * chance.random()
        box = [round(value, 4) for value in (x, y, w, h)]
        found.append((number, {"label": walker.label, "confidence": round(sure, 3), "box": box}))
    if index == FALSE_ALARM:
        found.append((-1, {"label": "person", "confidence": 0.8, "box": [0.9, 0.8, 0.05, 0.1]}))
    return [found[place] for place in chance.permutation(len(found))]  # a detector tells them in no order


def rows() -> list[dict[str, object]]:
    """Give every frame's row, as a job with a stage called `detector` would have it."""
    size = {"width": WIDTH, "height": HEIGHT}
    found = [{"kind": "detections", "detections": [detection for _, detection in found_on(index)]} for index in range(FRAMES)]
    return [{"frame_index": index, "t_s": index / 10, **size, "outputs": {"detector": out}} for index, out in enumerate(found)]


if __name__ == "__main__":
    body = "".join(json.dumps(row) + "\n" for row in rows())
    Path(__file__).with_name("sample.ndjson").write_text(body, encoding="utf-8")
