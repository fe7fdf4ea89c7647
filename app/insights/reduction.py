"""What is left of an insight for somebody who asked for some plugins, some labels, or a least confidence."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from msgspec.structs import replace

from app.domain.insight import Insight, Metrics, Overlay
from app.domain.output import Classification, Detections, Keypoints, Mask, Measurements, Output, Text


@dataclass(frozen=True, slots=True)
class Reduction:
    """Plugins and labels asked for (None for all), and the least confidence.

    Of an overlay and of metrics, only stages that run these plugins are left. In an overlay's outputs only what carries
    one of the labels is left, and nothing less sure than `min_confidence`; what has no label goes where labels are asked
    for, what has no confidence (masks, measurements, shapes) stays whatever it is.
    """

    plugins: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    min_confidence: float = 0.0

    def of(self, insight: Insight, plugins: Mapping[str, str]) -> Insight:
        """Give what is left of an insight; `plugins` names the plugin of each stage of its job."""
        if isinstance(insight, Overlay):
            outputs = {
                stage: self._reduced(output) for stage, output in insight.outputs.items() if self._keeps(plugins.get(stage))
            }
            return replace(insight, outputs=outputs)
        if isinstance(insight, Metrics) and self.plugins is not None:
            return replace(insight, stages=tuple(row for row in insight.stages if self._keeps(plugins.get(row.stage))))
        return insight

    def _keeps(self, plugin: str | None) -> bool:
        return self.plugins is None or plugin in self.plugins

    def _named(self, label: str | None) -> bool:
        return self.labels is None or label in self.labels

    def _left(self, found: Iterable[Any], label: Callable[[Any], str | None]) -> tuple[Any, ...]:
        return tuple(one for one in found if self._named(label(one)) and one.confidence >= self.min_confidence)

    def _reduced(self, output: Output) -> Output:
        left = _LEFT[type(output)](self, output)
        shapes = left.shapes if self.labels is None else tuple(shape for shape in left.shapes if shape.label in self.labels)
        return replace(left, shapes=shapes)

    def _detections(self, output: Detections) -> Detections:
        return replace(output, detections=self._left(output.detections, lambda found: str(found.label)))

    def _classes(self, output: Classification) -> Classification:
        return replace(output, classes=self._left(output.classes, lambda found: str(found.label)))

    def _blocks(self, output: Text) -> Text:
        return replace(output, blocks=self._left(output.blocks, lambda _: None))

    def _points(self, output: Keypoints) -> Keypoints:
        return replace(output, points=self._left(output.points, lambda found: str(found.name)))

    def _measurements(self, output: Measurements) -> Measurements:
        return replace(output, measurements=tuple(one for one in output.measurements if self._named(one.name)))

    def _cells(self, output: Mask) -> Mask:
        if self.labels is None:
            return output
        shown = [0, *(value if label in self.labels else 0 for value, label in enumerate(output.labels, 1))]
        runs = [(shown[value], length) for value, length in zip(output.rle[::2], output.rle[1::2], strict=True)]
        joined = [(value, sum(length for _, length in same)) for value, same in groupby(runs, key=lambda run: run[0])]
        return replace(output, rle=tuple(number for run in joined for number in run))


_LEFT: Final[Mapping[type, Callable[[Reduction, Any], Output]]] = {
    Detections: Reduction._detections,
    Classification: Reduction._classes,
    Text: Reduction._blocks,
    Keypoints: Reduction._points,
    Mask: Reduction._cells,
    Measurements: Reduction._measurements,
}
