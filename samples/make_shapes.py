"""Makes clips of coloured shapes with known truth: the demo's clip, and as many others as a seed can give.

    python samples/make_shapes.py                 # writes samples/shapes.mp4 and samples/shapes.truth.json afresh
    python samples/make_shapes.py --seed 7 --out elsewhere.mp4

From code, `scenes(seed)` yields frames with their truth and writes nothing:

    from samples.make_shapes import scenes
    for pixels, truths in scenes(seed=7, frames=1, width=320, height=320): ...

Circles, squares and triangles in four colours move over a textured background that moves too; they turn, overlap, leave the
frame on one side and come back on the other. A truth is a label such as "red circle", the box of what lies within the frame
(fractions `[x, y, w, h]` from the top left corner) and how much of the shape can be seen (0 to 1: not outside the frame, not
behind another). Shapes of which less than a tenth can be seen are left out. The truth depends on the seed and the arguments
alone; the pixels of the MP4 depend on the encoder too.
"""

import argparse
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = {"red": (40, 40, 220), "green": (60, 190, 50), "blue": (225, 90, 30), "yellow": (40, 215, 240)}  # BGR
KINDS = ("circle", "square", "triangle")
LABELS = tuple(f"{colour} {kind}" for colour in COLOURS for kind in KINDS)
LEAST_VISIBLE = 0.1
SEED, WIDTH, HEIGHT, FPS, FRAMES, KEY_EVERY = 2047, 480, 270, 25, 150, 30


@dataclass(frozen=True)
class Truth:
    """One shape on one frame."""

    label: str
    box: tuple[float, float, float, float]
    visible: float


@dataclass(frozen=True)
class Mover:
    """A shape on its way: at time t its centre is at `x + vx·t`, `y + vy·t`, turned by `angle + spin·t` (pixels, seconds)."""

    colour: str
    kind: str
    radius: float
    x: float
    y: float
    vx: float
    vy: float
    angle: float
    spin: float

    def centre(self, t: float, width: int, height: int) -> tuple[float, float]:
        """Where it is: what leaves on one side comes back on the other, once it is wholly gone."""
        far = 2 * self.radius
        return (self.x + self.vx * t) % (width + far) - self.radius, (self.y + self.vy * t) % (height + far) - self.radius

    def depth(self, t: float, width: int, height: int) -> NDArray[np.float64]:
        """Distance of each pixel's centre from the shape's edge, in pixels, array (height, width): negative inside."""
        cx, cy = self.centre(t, width, height)
        x = np.arange(width)[None, :] + 0.5 - cx
        y = np.arange(height)[:, None] + 0.5 - cy
        if self.kind == "circle":
            return np.asarray(np.hypot(x, y) - self.radius)
        corners = 4 if self.kind == "square" else 3
        inner = self.radius * math.cos(math.pi / corners)
        turned = self.angle + self.spin * t
        sides = [turned + (2 * side + 1) * math.pi / corners for side in range(corners)]
        return np.asarray(np.max([x * math.cos(a) + y * math.sin(a) - inner for a in sides], axis=0))

    def extent(self, t: float, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the whole shape, in pixels."""
        cx, cy = self.centre(t, width, height)
        if self.kind == "circle":
            return cx - self.radius, cy - self.radius, cx + self.radius, cy + self.radius
        corners = 4 if self.kind == "square" else 3
        angles = [self.angle + self.spin * t + 2 * math.pi * corner / corners for corner in range(corners)]
        xs, ys = [math.cos(a) * self.radius for a in angles], [math.sin(a) * self.radius for a in angles]
        return cx + min(xs), cy + min(ys), cx + max(xs), cy + max(ys)

    def area(self) -> float:
        """Area of the whole shape, in square pixels."""
        if self.kind == "circle":
            return math.pi * self.radius**2
        corners = 4 if self.kind == "square" else 3
        return corners / 2 * self.radius**2 * math.sin(2 * math.pi / corners)


def movers(seed: int, width: int, height: int, count: int) -> list[Mover]:
    """Choose shapes and their ways, the ones further back first; each label comes once before any comes twice."""
    chance = random.Random(seed)
    labels: list[str] = []
    while len(labels) < count:
        labels += chance.sample(LABELS, len(LABELS))
    unit = min(width, height)
    chosen = []
    for label in labels[:count]:
        colour, kind = label.split()
        heading, speed = chance.uniform(0, 2 * math.pi), chance.uniform(0.1, 0.4) * unit
        chosen.append(
            Mover(
                colour,
                kind,
                radius=chance.uniform(0.08, 0.16) * unit,
                x=chance.uniform(0, width),
                y=chance.uniform(0, height),
                vx=speed * math.cos(heading),
                vy=speed * math.sin(heading),
                angle=chance.uniform(0, 2 * math.pi),
                spin=chance.uniform(-1.2, 1.2),
            )
        )
    return chosen


def texture(seed: int, width: int, height: int) -> NDArray[np.float32]:
    """A canvas of muted patches and grain, larger than the frame on each side by a quarter; (height, width, 3), 0 to 255."""
    noise = np.random.Generator(np.random.PCG64(seed))
    size = (width + width // 2, height + height // 2)
    canvas = np.full((size[1], size[0], 3), 105, np.float32)
    for cells, strength in ((5, 38), (17, 24), (60, 12)):
        grey = noise.uniform(-1, 1, (cells, cells * 3 // 2, 1)) * strength
        tint = noise.uniform(-1, 1, (cells, cells * 3 // 2, 3)) * strength * 0.3
        canvas += cv2.resize((grey + tint).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.clip(canvas, 0, 255)


def scenes(
    seed: int = SEED, *, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT, fps: int = FPS, shapes: int = 9
) -> Iterator[tuple[NDArray[np.uint8], list[Truth]]]:
    """Yield frames (height, width, 3), uint8, BGR, each with its truths, those further back first."""
    cast, canvas = movers(seed, width, height, shapes), texture(seed, width, height)
    for number in range(frames):
        t = number / fps
        pixels = _background(canvas, t, width, height)
        depths = [mover.depth(t, width, height) for mover in cast]
        for mover, depth in zip(cast, depths, strict=True):
            cover = np.clip(0.5 - depth, 0, 1)[..., None]
            pixels += (np.array(COLOURS[mover.colour]) - pixels) * cover
        yield np.rint(pixels).astype(np.uint8), _truths(cast, depths, t, width, height)


def _background(canvas: NDArray[np.float32], t: float, width: int, height: int) -> NDArray[np.float64]:
    dx, dy = width / 4 * (1 + 0.8 * math.sin(t / 2.1)), height / 4 * (1 + 0.8 * math.cos(t / 2.9))
    shift = np.array([[1, 0, -dx], [0, 1, -dy]])
    return np.asarray(cv2.warpAffine(canvas, shift, (width, height), flags=cv2.INTER_LINEAR), np.float64)


def _truths(cast: list[Mover], depths: list[NDArray[np.float64]], t: float, width: int, height: int) -> list[Truth]:
    truths: list[Truth] = []
    covered = np.zeros((height, width), bool)
    for mover, depth in zip(reversed(cast), reversed(depths), strict=True):
        inside = depth < 0
        visible = min(1.0, float(np.count_nonzero(inside & ~covered)) / mover.area())
        covered |= inside
        if visible < LEAST_VISIBLE:
            continue
        columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
        left, top, right, bottom = mover.extent(t, width, height)
        left, right = max(left, float(columns[0])), min(right, float(columns[-1] + 1))
        top, bottom = max(top, float(rows[0])), min(bottom, float(rows[-1] + 1))
        box = left / width, top / height, (right - left) / width, (bottom - top) / height
        x, y, w, h = (round(value, 4) for value in box)
        truths.append(Truth(f"{mover.colour} {mover.kind}", (x, y, w, h), round(visible, 2)))
    return truths[::-1]


def truth_document(seed: int = SEED, **arguments: int) -> dict[str, Any]:
    """Give the truth of a clip as it stands beside it in JSON; arguments are those of `scenes`."""
    frames = [
        {"frame_index": index, "objects": [{"label": o.label, "box": list(o.box), "visible": o.visible} for o in truths]}
        for index, (_, truths) in enumerate(scenes(seed, **arguments))
    ]
    size = {"width": arguments.get("width", WIDTH), "height": arguments.get("height", HEIGHT)}
    return {"seed": seed, **size, "fps": arguments.get("fps", FPS), "frames": frames}


def write_clip(path: Path, seed: int = SEED, **arguments: int) -> None:
    """Write a clip as H.264 with a keyframe every 30 frames; arguments are those of `scenes`."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=arguments.get("fps", FPS))
        stream.width, stream.height = arguments.get("width", WIDTH), arguments.get("height", HEIGHT)
        stream.pix_fmt, stream.gop_size = "yuv420p", KEY_EVERY
        stream.options = {"crf": "24", "preset": "slow", "threads": "1", "sc_threshold": "0"}
        stream.time_base = Fraction(1, arguments.get("fps", FPS))
        for number, (pixels, _) in enumerate(scenes(seed, **arguments)):
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_truth(path: Path, seed: int = SEED, **arguments: int) -> None:
    """Write the truth of a clip, one frame to a line."""
    document = truth_document(seed, **arguments)
    frames = ",\n".join(json.dumps(frame) for frame in document.pop("frames"))
    path.write_text(f'{json.dumps(document)[:-1]}, "frames": [\n{frames}\n]}}\n')


def main() -> None:
    """Write a clip and, beside it, its truth."""
    parser = argparse.ArgumentParser(description="Make a clip of coloured shapes with known truth.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("shapes.mp4"))
    given = parser.parse_args()
    write_clip(given.out, given.seed, frames=given.frames)
    write_truth(given.out.with_suffix(".truth.json"), given.seed, frames=given.frames)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
