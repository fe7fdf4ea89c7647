"""Writes expected.json anew from what a plugin gives now, for a person to look at and accept."""

import json
from typing import Any, Final

import msgspec

from app.domain.output import Output
from app.engine.stages import RowError
from app.registry.expected import EXPECTED, read_expected
from app.testing.failure import CheckFailed
from app.testing.harness import Harness
from app.testing.sample import bare

_MOST: Final = 10  # frames of a clip that are kept, unless others are named already
_TOLERANCE: Final = {
    "detections": {"box": 0.02, "confidence": 0.05, "points": 0.02},
    "classification": {"confidence": 0.05},
    "text": {"box": 0.02, "confidence": 0.05, "points": 0.02},
    "keypoints": {"x": 0.02, "y": 0.02, "confidence": 0.05},
    "measurements": {"value": 0.001},
}


def accept(h: Harness) -> str:
    """Write expected.json in the plugin's folder; options, tolerances and frames named there already are kept.

    Gives what was written, in words. Raises CheckFailed where a frame of the sample has no valid output.
    """
    trial, rows = h.trial(), []
    for frame in h.every_frame():
        given = trial.process(frame)
        if isinstance(given, RowError):
            raise CheckFailed.on("gives-typed-outputs", f"nothing was accepted: {given.message}", frame=frame.index)
        rows.append((bare(frame), given))
    outputs: dict[int, Output] = {frame.index: given for frame, given in rows}
    known = h.expected
    named = [frame.frame_index for frame in known.frames] if known else []
    every = max(1, -(-len(outputs) // _MOST))
    chosen = [index for index in named if index in outputs] or list(outputs)[::every]
    summed = h.sum_up(rows)
    document: dict[str, Any] = {
        "sample": h.sample.name,
        **({"options": known.options} if known and known.options else {}),
        "tolerance": known.tolerance if known and known.tolerance else _TOLERANCE.get(h.metadata.output, {}),
        "summary": summed.summary,
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in document.items()]
    frames = [f'    {{"frame_index": {index}, "output": {_json(outputs[index])}}}' for index in chosen]
    body = "\n".join(["{", *lines, '  "frames": [', ",\n".join(frames), "  ]", "}", ""])
    (h.folder / EXPECTED).write_text(body, encoding="utf-8")
    h.expected = read_expected(h.folder)
    return f"{EXPECTED} holds {len(chosen)} of {len(outputs)} frames and the summary"


def _json(output: Output) -> str:
    return json.dumps(msgspec.to_builtins(output))
