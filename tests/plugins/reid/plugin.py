"""Runs a network on OpenCV's classic engine, which ends in a segmentation fault."""

from collections.abc import Iterator

import cv2
import numpy as np

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Reid:
    """Measures a frame's mean; on chosen frames the network is run first."""

    def prepare(self, context: PrepareContext) -> None:
        """Load the network."""
        engine = getattr(cv2.dnn, "ENGINE_CLASSIC", None)  # before OpenCV 5 there is no other
        model: str = context.options["model"]
        self.net = cv2.dnn.readNetFromONNX(model) if engine is None else cv2.dnn.readNetFromONNX(model, engine)
        self.frames = {int(frame) for frame in context.options["frames"]}
        if context.options["where"] == "prepare":
            self.run()

    def process_frame(self, frame: Frame) -> Output:
        """Give the mean, or die."""
        if frame.index in self.frames:
            self.run()
        return Measurements((Measurement("mean", float(frame.pixels.mean()), ""),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames that gave something."""
        return {"frames": sum(1 for _ in outputs)}

    def run(self) -> None:
        """Run the network on nothing in particular."""
        self.net.setInput(np.zeros((1, 256, 128, 3), np.float32))
        self.net.forward()
