"""Writes sample.ndjson: the tracks of five who walk about a square; who crosses which line and when is known."""

import json
from pathlib import Path
from typing import Final, NamedTuple

FRAMES: Final = 50
WIDTH, HEIGHT = 640, 480
LINES: Final = ("door 0.2 0.5 0.8 0.5", "side 0.6 0.0 0.6 1.0")
W, H = 0.1, 0.2  # of every box


class Walk(NamedTuple):
    """One who walks: label, and the place of the feet on frame 0 and on the last frame."""

    label: str
    begin: tuple[float, float]
    end: tuple[float, float]


WALKS: Final = {
    1: Walk("person", (0.30, 0.25), (0.30, 0.85)),  # through the door: in
    2: Walk("person", (0.50, 0.90), (0.50, 0.30)),  # and out
    3: Walk("dog", (0.10, 0.30), (0.10, 0.80)),  # past the door's end: over no line
    4: Walk("person", (0.90, 0.70), (0.30, 0.70)),  # over the side, from the right to the left: in
    5: Walk("person", (0.40, 0.495), (0.45, 0.505)),  # stands on the door's line: neither in nor out
}


def feet(number: int, index: int) -> tuple[float, float]:
    """Where somebody stands on a frame; number 5 steps to and fro."""
    walk, part = WALKS[number], index / (FRAMES - 1)
    x, y = (a + part * (b - a) for a, b in zip(walk.begin, walk.end, strict=True))
    return (x, y + (0.004 if index % 2 else -0.004)) if number == 5 else (x, y)


def rows() -> list[dict[str, object]]:
    """Give every frame's row, as a job with a stage called `tracker` would have it."""
    told = []
    for index in range(FRAMES):
        found = []
        for number, walk in WALKS.items():
            x, y = feet(number, index)
            box = [round(value, 4) for value in (x - W / 2, y - H, W, H)]
            found.append({"label": walk.label, "confidence": 0.9, "box": box, "track_id": number})
        outputs = {"tracker": {"kind": "detections", "detections": found}}
        told.append({"frame_index": index, "t_s": index / 10, "width": WIDTH, "height": HEIGHT, "outputs": outputs})
    return told


if __name__ == "__main__":
    body = "".join(json.dumps(row) + "\n" for row in rows())
    Path(__file__).with_name("sample.ndjson").write_text(body, encoding="utf-8")
