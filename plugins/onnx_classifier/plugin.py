"""Names what the whole frame shows with any ONNX classifier, on the best device there is."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Classification, ClassScore, Frame, FrameOutput, PrepareContext, Summary


class OnnxClassifier:
    """The plugin. It keeps nothing from one frame to the next."""

    def prepare(self, context: PrepareContext) -> None:
        """Read the options, attach the model, and make sure that it gives as many scores as there are labels."""
        options = context.options
        self._size = int(options["width"]), int(options["height"])
        self._share = float(options["crop_share"]) if options["fit"] == "crop" else None
        self._channels, self._invert = options["channels"], bool(options["invert"])
        depth = 1 if self._channels == "grey" else 3
        self._mean = read_numbers("mean", options["mean"], depth)
        self._std = read_numbers("std", options["std"], depth)
        if not self._std.all():
            raise ValueError("std holds a 0, which nothing can be divided by")
        self._softmax, self._top, self._least = bool(options["softmax"]), int(options["top"]), float(options["confidence"])
        sample = self._blob(_test_picture())
        self._net = context.attach(Path(options["model"]), sample=sample)
        self._labels = read_labels(options["labels"], options["labels_file"], len(self._scores(sample)))

    def process_frame(self, frame: Frame) -> Classification:
        """Give the classes of the frame, surest first."""
        scores = self._scores(self._blob(frame.pixels))
        if self._softmax:
            scores = np.exp(scores - scores.max())
            scores /= scores.sum()
        elif not (scores.min() >= 0 and scores.max() <= 1):
            raise ValueError(f"The model gives scores from {scores.min():.3g} to {scores.max():.3g}: set softmax.")
        order = np.argsort(-scores, kind="stable")[: self._top]
        kept = [number for number in order.tolist() if scores[number] >= self._least]
        return Classification(tuple(ClassScore(self._labels[number], round(float(scores[number]), 4)) for number in kept))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: on how many frames each label was the surest."""
        first: Counter[str] = Counter()
        frames = 0
        for row in outputs:
            if isinstance(row.output, Classification):
                frames += 1
                first.update(found.label for found in row.output.classes[:1])
        return {"frames": frames, "labels": {label: first[label] for label in sorted(first)}}

    def _scores(self, blob: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run the network: one score to a class."""
        outputs: dict[str, NDArray[Any]] = dict(self._net.forward(blob))
        if len(outputs) != 1:
            raise ValueError(f"A classifier gives one output; the model gives {', '.join(sorted(outputs))}.")
        (table,) = outputs.values()
        return np.asarray(table, np.float64).reshape(-1)

    def _blob(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn BGR pixels (height, width, 3) into the input (1, channels, height, width)."""
        if self._share is not None:
            pixels = _middle(pixels, self._size, self._share)
        shrinks = pixels.shape[1] > self._size[0] or pixels.shape[0] > self._size[1]
        picture = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        if self._channels == "grey":
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None]
        elif self._channels == "rgb":
            picture = picture[..., ::-1]
        values = np.asarray(255 - picture if self._invert else picture, np.float32)
        return np.ascontiguousarray(((values - self._mean) / self._std).transpose(2, 0, 1)[None])


def read_numbers(name: str, text: str, count: int) -> NDArray[np.float32]:
    """Read one number, or as many as there are channels, parted by commas."""
    try:
        values = np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError:
        values = np.empty(0, np.float32)
    if len(values) not in (1, count) or not np.isfinite(values).all():
        wanted = "one number" if count == 1 else f"one number, or {count} parted by commas"
        raise ValueError(f"{name} is {text!r}, expected {wanted}")
    return values


def read_labels(text: str, file: str, count: int) -> tuple[str, ...]:
    """Give the label of each of `count` classes, from a file, a list, or their numbers."""
    if file:
        labels = tuple(line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip())
    else:
        labels = tuple(part.strip() for part in text.split(",") if part.strip())
    if not labels:
        return tuple(str(number) for number in range(count))
    if len(labels) != count:
        where = "labels_file" if file else "labels"
        raise ValueError(f"The model tells {count} classes apart, but {where} names {len(labels)}.")
    return labels


def _middle(pixels: NDArray[np.uint8], size: tuple[int, int], share: float) -> NDArray[np.uint8]:
    """Cut the middle of the frame to the proportions of `size`, keeping `share` of what that could be at most."""
    height, width = pixels.shape[:2]
    scale = share * min(width / size[0], height / size[1])
    wide, high = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    left, top = (width - wide) // 2, (height - high) // 2
    return pixels[top : top + high, left : left + wide]


def _test_picture() -> NDArray[np.uint8]:
    """Draw something to warm up on that is neither empty nor noise: a bright stroke over shades."""
    rows, columns = np.mgrid[0:96, 0:96]
    picture = np.stack([columns, rows, (rows + columns) // 2], axis=2).astype(np.uint8)
    picture[20:76, 40:56] = 240
    return picture
