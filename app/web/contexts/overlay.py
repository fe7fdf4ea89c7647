"""What the stages found on a frame, as marks to be drawn over its picture (SVG, in pixels of the upright frame)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.domain.geometry import Shape, ShapeKind, Size
from app.domain.insight import Overlay
from app.domain.output import Detections, Keypoints, Mask, Output, Text
from app.web.contexts.words import media_time, milliseconds, number, percent, plural

COLOURS: Final = 8  # as many as tokens.css has for stages


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing drawn: an SVG element, its geometry, the words on it and their place, and what a screen reader says."""

    element: str
    geometry: Mapping[str, str]
    label: str
    spoken: str
    text_x: str
    text_y: str
    anchor: str
    kind: str = "outline"
    sure: int | None = None  # confidence as whole per cent, None for what has none
    track: int | None = None


@dataclass(frozen=True, slots=True)
class OverlayGroup:
    """The marks of one stage. `colour` is None where the page itself knows which colour the stage has."""

    stage: str
    colour: int | None
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class OverlayView:
    """A picture with what was found on it; both of the same frame."""

    image_url: str
    width: int
    height: int
    alt: str
    groups: tuple[OverlayGroup, ...]
    frame: str
    time: str
    delay: str
    told_ms: int | None = None  # when it was told, in milliseconds since 1970; None for what is not news
    delay_ms: float = 0.0


def overlay_of(insight: Overlay) -> OverlayView:
    """Give the overlay an insight tells of."""
    view = view_overlay(
        insight.image_url, Size(insight.width, insight.height), insight.frame_index, insight.t_s, insight.outputs,
        delay=f"told {milliseconds(insight.delay_ms)} after decoding",
    )  # fmt: skip
    told_ms = None if insight.snapshot else round(insight.at.timestamp() * 1000)
    return replace(view, told_ms=told_ms, delay_ms=insight.delay_ms)


def view_overlay(
    image_url: str, size: Size, frame_index: int, t_s: float | None, outputs: Mapping[str, Output],
    *, delay: str = "", stages: Sequence[str] = (),
) -> OverlayView:  # fmt: skip
    """Give a frame's overlay; `stages`, in pipeline order, fix the colours where they are known here."""
    groups = tuple(
        OverlayGroup(stage, colour_of(stage, stages), tuple(marks_of(output, size, stage))) for stage, output in outputs.items()
    )
    count = sum(len(group.marks) for group in groups)
    return OverlayView(
        image_url=image_url,
        width=size.width,
        height=size.height,
        alt=f"Frame {frame_index} with {plural(count, 'mark')} of {plural(len(groups), 'stage')}",
        groups=groups,
        frame=f"Frame {number(frame_index)}",
        time=media_time(t_s),
        delay=delay,
    )


def colour_of(stage: str, stages: Sequence[str]) -> int | None:
    """Number of a stage's colour, from 1; None for a stage that is not among `stages`."""
    return stages.index(stage) % COLOURS + 1 if stage in stages else None


def marks_of(output: Output, size: Size, stage: str) -> list[Mark]:
    """Give the marks for one stage's output on a frame of `size` pixels."""
    draw = _DRAW.get(type(output))
    marks = draw(output, size, stage) if draw else []
    return marks + [_shape(shape, size, stage) for shape in output.shapes]


def _mark(  # noqa: PLR0917 an element, its geometry and words, and where they stand, in that order
    element: str,
    geometry: Mapping[str, str],
    label: str,
    spoken: str,
    at: tuple[float, float],
    size: Size,
    kind: str = "outline",
) -> Mark:
    """Set the words above their place, or below where there is no room; towards the middle near the right edge."""
    x, y = at
    high = y < 0.07 * size.height
    text_y = y + 0.055 * size.height if high else y - 0.014 * size.height
    anchor = "end" if x > 0.8 * size.width else "start"
    text_x = min(x, 0.995 * size.width) if anchor == "end" else max(x, 0.005 * size.width)
    return Mark(element, geometry, label, spoken, _px(text_x), _px(text_y), anchor, kind)


def _px(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _rect(box: Sequence[float], size: Size) -> tuple[dict[str, str], tuple[float, float]]:
    x, y, w, h = box[0] * size.width, box[1] * size.height, box[2] * size.width, box[3] * size.height
    return {"x": _px(x), "y": _px(y), "width": _px(w), "height": _px(h), "rx": _px(size.width / 250)}, (x, y)


def _detections(output: Detections, size: Size, stage: str) -> list[Mark]:
    marks = []
    for found in output.detections:
        geometry, at = _rect(found.box, size)
        track = "" if found.track_id is None else f" #{found.track_id}"
        label = f"{found.label}{track} {percent(found.confidence)}"
        mark = _mark("rect", geometry, label, f"{stage}: {label}", at, size)
        marks.append(replace(mark, sure=int(100 * found.confidence), track=found.track_id))
    return marks


def _text(output: Text, size: Size, stage: str) -> list[Mark]:
    marks = []
    for block in output.blocks:
        geometry, at = _rect(block.box, size)
        spoken = f"{stage}: reads {block.text}, {percent(block.confidence)}"
        marks.append(replace(_mark("rect", geometry, block.text, spoken, at, size), sure=int(100 * block.confidence)))
    return marks


def _keypoints(output: Keypoints, size: Size, stage: str) -> list[Mark]:
    marks = []
    for point in output.points:
        at = point.x * size.width, point.y * size.height
        geometry = {"cx": _px(at[0]), "cy": _px(at[1]), "r": _px(max(2.0, size.width / 160))}
        spoken = f"{stage}: {point.name}, {percent(point.confidence)}"
        mark = _mark("circle", geometry, point.name, spoken, at, size, "dot")
        marks.append(replace(mark, sure=int(100 * point.confidence)))
    return marks


def _mask(output: Mask, size: Size, stage: str) -> list[Mark]:
    """Draw each label's cells as one path of horizontal runs."""
    runs: dict[int, list[str]] = {}
    first: dict[int, tuple[float, float]] = {}
    wide, high, cell = size.width / output.width, size.height / output.height, 0
    for value, length in zip(output.rle[::2], output.rle[1::2], strict=True):
        end = cell + length
        while value and cell < end:
            row, column = divmod(cell, output.width)
            here = min(end - cell, output.width - column)
            x, y = column * wide, row * high
            first.setdefault(value, (x, y))
            runs.setdefault(value, []).append(f"M{_px(x)} {_px(y)}h{_px(here * wide)}v{_px(high)}h{_px(-here * wide)}z")
            cell += here
        cell = end
    marks = []
    for value, parts in runs.items():
        label = output.labels[value - 1]
        marks.append(_mark("path", {"d": "".join(parts)}, label, f"{stage}: area of {label}", first[value], size, "area"))
    return marks


def _shape(shape: Shape, size: Size, stage: str) -> Mark:
    points = [(x * size.width, y * size.height) for x, y in shape.points] or [(0.0, 0.0)]
    spoken = f"{stage}: {shape.label or shape.kind.value}"
    if shape.kind is ShapeKind.POINT:
        geometry = {"cx": _px(points[0][0]), "cy": _px(points[0][1]), "r": _px(max(2.0, size.width / 160))}
        return _mark("circle", geometry, shape.label, spoken, points[0], size, "dot")
    path = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
    if shape.kind is ShapeKind.TEXT:
        return _mark("g", {}, shape.label, spoken, points[0], size)
    element = "polygon" if shape.kind is ShapeKind.POLYGON else "polyline"
    return _mark(element, {"points": path}, shape.label, spoken, points[0], size)


_DRAW: Final[dict[type, Callable[[Any, Size, str], list[Mark]]]] = {
    Detections: _detections,
    Text: _text,
    Keypoints: _keypoints,
    Mask: _mask,
}
