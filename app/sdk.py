"""The only module a plugin imports: the plugin contract and the typed outputs."""

from app.domain.device import DeviceDecision, DeviceRequest, Target
from app.domain.errors import AttachFailed
from app.domain.frame import Frame
from app.domain.geometry import Box, Point, Shape, ShapeKind, Size
from app.domain.output import (
    Classification,
    ClassScore,
    Detection,
    Detections,
    Keypoint,
    Keypoints,
    Mask,
    Measurement,
    Measurements,
    Output,
    Text,
    TextBlock,
)
from app.domain.plugin import Attach, FrameOutput, Net, Plugin, PrepareContext, Summary

__all__ = [
    "Attach", "AttachFailed", "Box", "ClassScore", "Classification", "Detection", "Detections", "DeviceDecision",
    "DeviceRequest", "Frame", "FrameOutput", "Keypoint", "Keypoints", "Mask", "Measurement", "Measurements", "Net", "Output",
    "Plugin", "Point", "PrepareContext", "Shape", "ShapeKind", "Size", "Summary", "Target", "Text", "TextBlock",
]  # fmt: skip
