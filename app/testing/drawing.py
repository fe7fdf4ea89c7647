"""Draws a frame with what was expected and what came, for a person who wants to see what went wrong."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.domain.frame import Frame
from app.domain.geometry import Box, Size
from app.domain.output import Classification, Detections, Keypoints, Mask, Measurements, Output, Text

EXPECTED: Final = (60, 200, 60)  # green, BGR
CAME: Final = (40, 60, 240)  # red
_LEAST_WIDTH: Final = 480
_LINE: Final = 18
_MOST_LINES: Final = 12


def draw_failure(frame: Frame, expected: Output | str | None, came: Output | str | None, path: Path) -> Path:
    """Write `path` as a PNG: the frame with what was expected in green and what came in red, both told in words below."""
    high, wide = frame.pixels.shape[:2]
    factor = max(1, -(-_LEAST_WIDTH // wide))
    picture = cv2.resize(frame.pixels, (wide * factor, high * factor), interpolation=cv2.INTER_NEAREST)
    words = []
    for name, output, colour in (("expected", expected, EXPECTED), ("came", came, CAME)):
        told = output if isinstance(output, str) else "nothing" if output is None else ""
        if output is not None and not isinstance(output, str):
            _mark(picture, output, colour, thick=4 if colour == EXPECTED else 2)
        lines = [told] if told else list(_words(output))  # type: ignore[arg-type]  # an output, by now
        words += [(f"{name}: {line}", colour) for line in lines[:_MOST_LINES]]
    path.parent.mkdir(parents=True, exist_ok=True)
    done, png = cv2.imencode(".png", np.vstack([picture, _caption(words, picture.shape[1])]))
    if not done:
        raise ValueError(f"a picture of {wide}×{high} cannot be written as PNG")
    path.write_bytes(png.tobytes())
    return path


def _caption(words: list[tuple[str, tuple[int, int, int]]], width: int) -> NDArray[np.uint8]:
    strip = np.full((_LINE * len(words) + 10, width, 3), 24, np.uint8)
    for number, (line, colour) in enumerate(words):
        cv2.putText(strip, line, (6, _LINE * (number + 1)), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    return strip


def _mark(picture: NDArray[np.uint8], output: Output, colour: tuple[int, int, int], thick: int) -> None:
    size = Size(picture.shape[1], picture.shape[0])
    for box, label in _boxes(output):
        x, y, w, h = box.to_pixels(size)
        cv2.rectangle(picture, (x, y), (x + w, y + h), colour, thick)
        cv2.putText(picture, label, (x + 2, max(12, y - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    points = [(point.x, point.y) for point in output.points] if isinstance(output, Keypoints) else []
    for shape in output.shapes:
        places = np.array([(p.x * size.width, p.y * size.height) for p in shape.points], np.int32)
        cv2.polylines(picture, [places], shape.kind == "polygon", colour, 1)
        points += [(p.x, p.y) for p in shape.points] if len(shape.points) == 1 else []
    for point in points:
        at = (round(point[0] * size.width), round(point[1] * size.height))
        cv2.circle(picture, at, 3 + thick, colour, thick)


def _boxes(output: Output) -> list[tuple[Box, str]]:
    if isinstance(output, Detections):
        return [(d.box, f"{d.label} {d.confidence:.2f}") for d in output.detections]
    return [(block.box, block.text) for block in output.blocks] if isinstance(output, Text) else []


def _words(output: Output) -> list[str]:
    if isinstance(output, Classification):
        return [f"{one.label} {one.confidence:.3f}" for one in output.classes] or ["no class"]
    if isinstance(output, Measurements):
        return [f"{one.name} {one.value:g} {one.unit}" for one in output.measurements] or ["no measurement"]
    if isinstance(output, Mask):
        return [f"a mask of {output.width} x {output.height} cells of {', '.join(output.labels)}"]
    if isinstance(output, Keypoints):
        return [f"{one.name} at {one.x:.3f}, {one.y:.3f}" for one in output.points] or ["no point"]
    return [f"{label} at {[round(value, 3) for value in box]}" for box, label in _boxes(output)] or ["nothing found"]
