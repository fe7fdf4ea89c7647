"""What a stage found on a frame, in words, for the inspector's panel."""

from dataclasses import dataclass
from typing import Final

from app.domain.output import Classification, Detections, Keypoints, Mask, Measurements, Output, Text
from app.web.contexts.words import number, percent, plural

SHOWN_ITEMS: Final = 6  # css/job.css keeps room for so many lines


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One finding as a line of the inspector; `fill` is its confidence 0 to 100, None where it has none."""

    label: str
    value: str
    fill: int | None


@dataclass(frozen=True, slots=True)
class FoundView:
    """What one stage found on one frame, in words."""

    stage: str
    frame: str
    sentence: str
    items: tuple[FoundItem, ...]
    more: str


def found_of(stage: str, frame_index: int, output: Output) -> FoundView:
    """Put what a stage found on a frame into words."""
    items = _items(output)
    return FoundView(
        stage=stage,
        frame=f"Frame {number(frame_index)}",
        sentence=_sentence(output, len(items)),
        items=tuple(items[:SHOWN_ITEMS]),
        more=f"and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else "",
    )


def _items(output: Output) -> list[FoundItem]:
    if isinstance(output, Measurements):
        return [FoundItem(m.name, f"{number(m.value)} {m.unit}".strip(), None) for m in output.measurements]
    if isinstance(output, Mask):
        cells = output.width * output.height
        shares = dict.fromkeys(output.labels, 0)
        for value, run in zip(output.rle[::2], output.rle[1::2], strict=True):
            if value:
                shares[output.labels[value - 1]] += run
        return [FoundItem(label, percent(n / cells), round(100 * n / cells)) for label, n in shares.items()] if cells else []
    return [FoundItem(label, percent(score), round(100 * score)) for label, score in _scored(output)]


def _scored(output: Detections | Classification | Text | Keypoints) -> list[tuple[str, float]]:
    if isinstance(output, Detections):
        return [(d.label if d.track_id is None else f"{d.label} #{d.track_id}", d.confidence) for d in output.detections]
    if isinstance(output, Classification):
        return [(c.label, c.confidence) for c in output.classes]
    if isinstance(output, Text):
        return [(f"“{b.text}”", b.confidence) for b in output.blocks]
    return [(p.name, p.confidence) for p in output.points]


def _sentence(output: Output, count: int) -> str:
    if not count and not output.shapes:
        return "Nothing found on this frame."
    nouns = {
        Detections: ("thing found", "things found"),
        Classification: ("label", "labels"),
        Text: ("run of text", "runs of text"),
        Keypoints: ("point", "points"),
        Mask: ("area", "areas"),
        Measurements: ("measurement", "measurements"),
    }
    return plural(count, *nouns[type(output)])
