"""A job's outputs in the forms other tools read: JSON Lines, CSV, COCO; each streamed, so that memory stays flat."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from app.domain.job import Job
from app.domain.output import Classification, Detections, Keypoints, Mask, Measurements, Output, Text
from app.web.parts import Parts
from app.web.stored_rows import FrameRow, lines_of, read_row

COLUMNS: Final = (
    "frame_index", "t_s", "stage", "kind", "label", "confidence", "x", "y", "w", "h", "track_id", "value", "unit",
)  # fmt: skip
_encode: Final = msgspec.json.Encoder().encode
Cells = dict[str, Any]


def json_lines(parts: Parts, job: Job) -> Iterator[bytes]:
    """Every row as it is stored, one to a line."""
    return (line + b"\n" for line in lines_of(parts, job))


def table(parts: Parts, job: Job) -> Iterator[bytes]:
    """One line of CSV (RFC 4180) for every finding; places are fractions of the upright frame."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for row in _rows(parts, job):
        for stage, output in row.outputs.items():
            kind = str(output.__struct_config__.tag)
            head = {"frame_index": row.frame_index, "t_s": "" if row.t_s is None else row.t_s, "stage": stage, "kind": kind}
            writer.writerows({**head, **cells} for cells in _cells(output))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def coco(parts: Parts, job: Job, info: dict[str, Any]) -> Iterator[bytes]:
    """The boxes as a COCO data set: an image for every frame, a category for every label, pixels of the upright frame.

    Beside COCO's own fields an image says its `frame_index` and `t_s`, an annotation its `stage`, `score` and `track_id`.
    """
    width, height = (job.media.width, job.media.height) if job.media else (0, 0)
    yield b'{"info":' + _encode(info) + b',"licenses":[],"images":['
    comma = b""
    for row in _rows(parts, job):
        name = f"frame_{row.frame_index:08d}.jpg"
        address = f"/v1/jobs/{job.id}/frames/{row.frame_index}.jpg"
        image = {"id": row.frame_index + 1, "file_name": name, "width": width, "height": height, "coco_url": address}
        yield comma + _encode({**image, "frame_index": row.frame_index, "t_s": row.t_s})
        comma = b","
    yield b'],"annotations":['
    categories: dict[str, int] = {}
    comma, number = b"", 0
    for row in _rows(parts, job):
        for annotation in _annotations(row, categories, width, height):
            number += 1
            yield comma + _encode({"id": number, **annotation})
            comma = b","
    known = [{"id": place, "name": name, "supercategory": ""} for name, place in categories.items()]
    yield b'],"categories":' + _encode(known) + b"}"


def _rows(parts: Parts, job: Job) -> Iterator[FrameRow]:
    return map(read_row, lines_of(parts, job))


def _annotations(row: FrameRow, categories: dict[str, int], width: int, height: int) -> Iterator[Cells]:
    for stage, output in row.outputs.items():
        if not isinstance(output, Detections):
            continue
        for found in output.detections:
            x, y, w, h = found.box.x * width, found.box.y * height, found.box.w * width, found.box.h * height
            annotation: Cells = {
                "image_id": row.frame_index + 1,
                "category_id": categories.setdefault(found.label, len(categories) + 1),
                "bbox": [round(x, 2), round(y, 2), round(w, 2), round(h, 2)],
                "area": round(w * h, 2),
                "iscrowd": 0,
                "score": found.confidence,
                "stage": stage,
            }
            yield annotation if found.track_id is None else {**annotation, "track_id": found.track_id}


def _cells(output: Output) -> Iterator[Cells]:
    """Give a finding's cells beside those of its frame."""
    return _CELLS[type(output)](output)


def _of_detections(output: Detections) -> Iterator[Cells]:
    for d in output.detections:
        place = dict(zip("xywh", d.box, strict=True))
        yield {"label": d.label, "confidence": d.confidence, **place, "track_id": "" if d.track_id is None else d.track_id}


def _of_classification(output: Classification) -> Iterator[Cells]:
    return ({"label": c.label, "confidence": c.confidence} for c in output.classes)


def _of_text(output: Text) -> Iterator[Cells]:
    for block in output.blocks:
        yield {"label": block.text, "confidence": block.confidence, **dict(zip("xywh", block.box, strict=True))}


def _of_keypoints(output: Keypoints) -> Iterator[Cells]:
    return ({"label": p.name, "confidence": p.confidence, "x": p.x, "y": p.y} for p in output.points)


def _of_measurements(output: Measurements) -> Iterator[Cells]:
    return ({"label": m.name, "value": m.value, "unit": m.unit} for m in output.measurements)


def _of_mask(output: Mask) -> Iterator[Cells]:
    """Tell the part of the frame that each label covers."""
    cells = output.width * output.height
    covered = dict.fromkeys(output.labels, 0)
    for value, run in zip(output.rle[::2], output.rle[1::2], strict=True):
        if value:
            covered[output.labels[value - 1]] += run
    return ({"label": label, "value": n / cells if cells else 0.0, "unit": "of the frame"} for label, n in covered.items())


_CELLS: Final[dict[type, Callable[[Any], Iterator[Cells]]]] = {
    Detections: _of_detections,
    Classification: _of_classification,
    Text: _of_text,
    Keypoints: _of_keypoints,
    Measurements: _of_measurements,
    Mask: _of_mask,
}
