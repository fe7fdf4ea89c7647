"""Counts who crosses which line in which direction, from the tracks that another stage gives."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from app.sdk import Detection, Detections, Frame, FrameOutput, Point, PrepareContext, Shape, Summary

from .lines import DIRECTIONS, Line

MANY: Final = 1000  # tracks remembered before those that were not seen for long are dropped
LONG: Final = 10_000  # frames

Place = tuple[str, str, int]  # line, stage, track


class LineCounter:
    """The plugin. It remembers on which side of each line each track was, so it sees all frames in order."""

    def prepare(self, context: PrepareContext) -> None:
        """Read the lines; begin with nobody on either side."""
        options = context.options
        self._lines = tuple(Line.read(text) for text in options["lines"])
        if len({line.name for line in self._lines}) != len(self._lines):
            raise ValueError("two lines have one name")
        self._middle = options["anchor"] == "centre"
        self._margin = float(options["margin"])
        self._labels = frozenset(options["labels"])
        self._was: dict[Place, tuple[int, Point]] = {}  # when and where a track was last on one side for certain
        self._counts = {line.name: [0, 0] for line in self._lines}

    def process_frame(self, frame: Frame) -> Detections:
        """Give those who crossed a line on this frame, labelled with the line and the direction, and the lines to be drawn."""
        crossed: list[Detection] = []
        for stage, output in frame.outputs.items():
            for detection in output.detections if isinstance(output, Detections) else ():
                if detection.track_id is None or (self._labels and detection.label not in self._labels):
                    continue
                for line in self._lines:
                    direction = self._crosses(
                        line, (line.name, stage, detection.track_id), self._anchor(detection), frame.index
                    )
                    if direction is not None:
                        self._counts[line.name][direction] += 1
                        label = f"{detection.label} {line.name} {DIRECTIONS[direction]}"
                        crossed.append(Detection(label, detection.confidence, detection.box, detection.track_id))
        if len(self._was) > MANY:
            self._was = {place: was for place, was in self._was.items() if frame.index - was[0] <= LONG}
        return Detections(tuple(crossed), self._drawn(frame))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: crossings by line and direction, by label, and which tracks they were."""
        frames, labels = 0, Counter[str]()
        who: dict[str, list[int]] = {f"{line.name} {direction}": [] for line in self._lines for direction in DIRECTIONS}
        for row in outputs:
            frames += 1
            for detection in row.output.detections if isinstance(row.output, Detections) else ():
                label, line, direction = detection.label.rsplit(" ", 2)
                labels[label] += 1
                who[f"{line} {direction}"].append(detection.track_id or 0)
        return {
            "frames": frames,
            "crossings": labels.total(),
            "lines": {line: len(tracks) for line, tracks in who.items()},
            "labels": dict(sorted(labels.items())),
            "tracks": {line: tracks[:MANY] for line, tracks in who.items()},
        }

    def _anchor(self, detection: Detection) -> Point:
        x, y, w, h = detection.box
        return Point(x + w / 2, y + h / 2 if self._middle else y + h)

    def _crosses(self, line: Line, place: Place, point: Point, index: int) -> int | None:
        """Say in which direction a track has just crossed a line, None where it has not; remembers where it is."""
        side = line.side(point)
        if abs(side) < self._margin or side == 0:
            return None  # on the line: neither here nor there
        was = self._was.get(place)
        self._was[place] = index, point
        if was is None or (line.side(was[1]) > 0) == (side > 0) or not line.meets(was[1], point):
            return None
        return 0 if side > 0 else 1

    def _drawn(self, frame: Frame) -> tuple[Shape, ...]:
        size = frame.size
        return tuple(shape for line in self._lines for shape in line.drawn(size, *self._counts[line.name]))
