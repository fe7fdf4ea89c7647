"""What the network of shapes_dnn is trained on: generated scenes as the network sees them, and what it should answer."""

import random
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from samples.make_shapes import COLOURS, KINDS, Truth, scenes

from .plugin import INPUT, STRIDE, UNIT, fit

FIRST_SEED: Final = 1_000_000  # the tests and the demo's clip keep to seeds far below
FRAMES_A_SCENE: Final = 6
SIZES: Final = ((480, 270), (480, 270), (640, 360), (360, 270), (270, 270), (400, 250))
COLOUR_AT: Final = {colour: index for index, colour in enumerate(COLOURS)}
KIND_AT: Final = {kind: index for index, kind in enumerate(KINDS)}
GRID: Final = (INPUT[1] // STRIDE, INPUT[0] // STRIDE)  # rows, columns


def pictures(count: int) -> tuple[NDArray[np.uint8], list[NDArray[np.float32]]]:
    """Give `count` pictures (count, rows, columns, 3) BGR, and for each its truths (n, 6).

    A truth is colour, kind, left, top, right, bottom, the last four in pixels of the network's input.
    """
    images = np.empty((count, INPUT[1], INPUT[0], 3), np.uint8)
    truths = []
    for index, (pixels, found) in enumerate(_frames(count)):
        images[index], size = fit(pixels)
        truths.append(_rows(found, size))
    return images, truths


def _frames(count: int) -> Iterator[tuple[NDArray[np.uint8], list[Truth]]]:
    """Yield frames a second apart, of scenes of several sizes and crowds, most of them through a lossy codec."""
    for number in range(-(-count // FRAMES_A_SCENE)):
        chance = random.Random(FIRST_SEED + number)  # noqa: S311  # the same scenes each time, not secrets
        width, height = chance.choice(SIZES)
        left = min(FRAMES_A_SCENE, count - number * FRAMES_A_SCENE)
        shapes = chance.randint(6, 12)
        for pixels, found in scenes(FIRST_SEED + number, frames=left, fps=1, width=width, height=height, shapes=shapes):
            yield (_worn(pixels, chance.randint(50, 95)) if chance.random() < 0.8 else pixels), found


def _worn(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Send a picture through JPEG, which wears colours and edges as a video codec does."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR))


def _rows(truths: Sequence[Truth], size: tuple[int, int]) -> NDArray[np.float32]:
    rows = []
    for truth in truths:
        colour, kind = truth.label.split()
        x, y, w, h = truth.box
        rows.append((COLOUR_AT[colour], KIND_AT[kind], *(np.array([x, y, x + w, y + h]) * (size * 2))))
    return np.array(rows, np.float32).reshape(-1, 6)


def mirrored(truths: NDArray[np.float32], across: bool, down: bool, size: tuple[int, int]) -> NDArray[np.float32]:
    """Mirror truths with their picture, of `size` (width, height)."""
    out = truths.copy()
    if across:
        out[:, 2], out[:, 4] = size[0] - truths[:, 4], size[0] - truths[:, 2]
    if down:
        out[:, 3], out[:, 5] = size[1] - truths[:, 5], size[1] - truths[:, 3]
    return out


def wanted(truths: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Give the answers wanted for one picture: heat (4, 3, rows, columns), box (4, 3, 4, rows, columns), and box weights.

    Heat is 1 where a cell's middle is within half a cell of a box's middle and falls off around it; boxes are wanted in
    those cells and the ones beside them, as the distances from the cell's middle to the left, top, right and bottom side,
    in units of UNIT pixels.
    """
    shape = len(COLOURS), len(KINDS)
    heat, box = np.zeros((*shape, *GRID), np.float32), np.zeros((*shape, 4, *GRID), np.float32)
    weight = np.zeros((*shape, *GRID), np.float32)
    y, x = (np.mgrid[: GRID[0], : GRID[1]].astype(np.float32) + 0.5) * STRIDE
    for colour, kind, left, top, right, bottom in truths:
        at = int(colour), int(kind)
        off = np.hypot(x - (left + right) / 2, y - (top + bottom) / 2) / STRIDE
        near = np.exp(-(np.maximum(off - 0.5, 0) ** 2) / (2 * 0.5**2))
        heat[at] = np.maximum(heat[at], np.where(off < 2.5, near, 0))
        nearest = (off < 1.5) & (near > weight[at])
        distances = np.stack([x - left, y - top, right - x, bottom - y]) / UNIT
        box[at] = np.where(nearest, distances, box[at])
        weight[at] = np.where(nearest, near, weight[at])
    return heat, box, weight


def colours(count: int, noise: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give pixels (count, 3), BGR 0 to 1, and how much of each colour lies in them (count, 4)."""
    palette = np.array(list(COLOURS.values()), np.float64)
    muted = np.clip(105 + noise.uniform(-75, 75, (count, 1)) + noise.uniform(-23, 23, (count, 3)), 0, 255)
    share = noise.dirichlet(np.full(len(palette) + 1, 0.12), count)
    mixed = share[:, :-1] @ palette + share[:, -1:] * muted + noise.normal(0, 6, (count, 3))
    return (mixed / 255).astype(np.float32), share[:, :-1].astype(np.float32)
