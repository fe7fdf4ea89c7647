"""Runs a tiny network on each frame and gives its numbers."""

from collections.abc import Iterator

import cv2
import numpy as np

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary

SIDE = 8


class Network:
    """One network, whose outputs are taken by name."""

    def prepare(self, context: PrepareContext) -> None:
        """Bind the network."""
        sample = np.random.default_rng(1).random((1, 3, SIDE, SIDE), np.float32)
        self.net = context.attach(context.folder / context.options["file"], sample=sample)

    def process_frame(self, frame: Frame) -> Output:
        """Give the mean and the peak of each channel, mixed by the network."""
        given = self.net.forward(cv2.dnn.blobFromImage(frame.pixels, 1 / 255, (SIDE, SIDE)))
        numbers = [(name, index, float(value)) for name in ("mean", "peak") for index, value in enumerate(given[name].ravel())]
        return Measurements(tuple(Measurement(f"{name} {index}", value, "") for name, index, value in numbers))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames."""
        return {"frames": sum(1 for _ in outputs)}
