"""Follows detections from frame to frame with ByteTrack (Zhang and others, 2022)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.sdk import Detection, Detections, Frame, FrameOutput, PrepareContext, Summary

from .assignment import assign
from .motion import Motion

SURER: Final = 0.1  # by how much surer than sure a detection must be to begin a track
UNSURE_OVERLAP: Final = 0.5  # least overlap for an unsure detection to carry on a track
FRESH_OVERLAP: Final = 0.3  # and, times its confidence, for a sure one to confirm a track that was begun on the frame before
SMALLEST: Final = 1e-4  # of a frame; a box without a size would have no place to be uncertain in
SAME_OVERLAP: Final = 0.85  # a track that is seen and one that is not are the same where they overlap so much


class Track:
    """One thing on its way: its number, its motion, and when it was seen."""

    def __init__(self, number: int, detection: Detection, index: int, *, confirmed: bool) -> None:
        self.number = number  # 0 until it is confirmed
        self.label = detection.label
        self.motion = Motion(_measured(detection))
        self.begun = self.seen = index
        self.confirmed = confirmed
        self.lost = False

    def take(self, detection: Detection, index: int) -> None:
        """Carry on with a detection."""
        self.motion.correct(_measured(detection))
        self.seen, self.lost = index, False


class Tracker:
    """The plugin. What it knows grows out of every frame before, so it sees them all in order; of pixels it needs none."""

    def prepare(self, context: PrepareContext) -> None:
        """Begin with no tracks."""
        options = context.options
        self._sure, self._least = float(options["sure"]), float(options["least"])
        self._overlap, self._patience = float(options["overlap"]), int(options["patience"])
        self._labels = frozenset(options["labels"])
        self._tracks: list[Track] = []
        self._count = 0
        self._index: int | None = None

    def process_frame(self, frame: Frame) -> Detections:
        """Give the detections that belong to a track, each with its number, in the order of the numbers."""
        first = self._index is None
        passed = 1 if self._index is None else frame.index - self._index
        self._index = frame.index
        found = sorted((d for output in frame.outputs.values() for d in self._wanted(output)), key=_order)
        for track in self._tracks:
            track.motion.predict(passed, seen=not track.lost)
        taken = self._carry_on(found, frame.index)
        used = set(taken.values())
        for place, detection in enumerate(found):
            if place not in used and detection.confidence >= self._sure + SURER:
                taken[self._begin(detection, frame.index, confirmed=first)] = place
        self._forget(frame.index)
        told = sorted((track.number, found[place]) for track, place in taken.items() if track.confirmed)
        return Detections(tuple(Detection(d.label, d.confidence, d.box, number) for number, d in told))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: how many tracks there were, of what, and for how many frames they were seen."""
        frames, seen, labels = 0, Counter[int](), dict[int, str]()
        for row in outputs:
            frames += 1
            for detection in row.output.detections if isinstance(row.output, Detections) else ():
                if detection.track_id is not None:
                    seen[detection.track_id] += 1
                    labels[detection.track_id] = detection.label
        return {
            "frames": frames,
            "tracks": len(seen),
            "tracks_by_label": dict(sorted(Counter(labels.values()).items())),
            "longest_frames": max(seen.values(), default=0),
            "mean_frames": round(sum(seen.values()) / len(seen), 1) if seen else 0.0,
        }

    def _wanted(self, output: object) -> Iterator[Detection]:
        for detection in output.detections if isinstance(output, Detections) else ():
            if detection.confidence >= self._least and (not self._labels or detection.label in self._labels):
                yield detection

    def _carry_on(self, found: Sequence[Detection], index: int) -> dict[Track, int]:
        """Match tracks with the places of detections, the sure ones first; what is not seen is lost, or never was."""
        sure = [place for place, detection in enumerate(found) if detection.confidence >= self._sure]
        known = [track for track in self._tracks if track.confirmed]
        fresh = [track for track in self._tracks if not track.confirmed]
        taken = _match(known, found, sure, self._overlap, rated=True)
        waiting = [track for track in known if track not in taken and not track.lost]
        unsure = [place for place, detection in enumerate(found) if detection.confidence < self._sure]
        taken |= _match(waiting, found, unsure, UNSURE_OVERLAP, rated=False)
        left = [place for place in sure if place not in set(taken.values())]
        confirmed = _match(fresh, found, left, FRESH_OVERLAP, rated=True)
        for track in confirmed:
            self._confirm(track)
        taken |= confirmed
        for track, place in taken.items():
            track.take(found[place], index)
        for track in known:
            track.lost = track not in taken
        self._tracks = [track for track in self._tracks if track.confirmed]
        return taken

    def _begin(self, detection: Detection, index: int, *, confirmed: bool) -> Track:
        track = Track(0, detection, index, confirmed=False)
        if confirmed:
            self._confirm(track)
        self._tracks.append(track)
        return track

    def _confirm(self, track: Track) -> None:
        self._count += 1
        track.number, track.confirmed = self._count, True

    def _forget(self, index: int) -> None:
        """Drop tracks that were not seen for too long, and of two that are the same the one seen for a shorter time."""
        self._tracks = [track for track in self._tracks if index - track.seen <= self._patience]
        lost = [track for track in self._tracks if track.lost]
        there = [track for track in self._tracks if track.confirmed and not track.lost]
        same = _overlaps(there, [track.motion.corners() for track in lost]) >= SAME_OVERLAP
        for seen, gone in zip(*np.nonzero(same), strict=True):
            one, other = there[seen], lost[gone]
            if one.label == other.label:
                shorter = other if one.seen - one.begun > other.seen - other.begun else one
                self._tracks = [track for track in self._tracks if track is not shorter]


def _order(detection: Detection) -> tuple[float, str, tuple[float, ...]]:
    """The surest first; else the order in which a detector tells its findings would decide who gets which number."""
    return -detection.confidence, detection.label, tuple(detection.box)


def _measured(detection: Detection) -> NDArray[np.float64]:
    x, y, w, h = detection.box
    return np.array((x + w / 2, y + h / 2, max(w, SMALLEST), max(h, SMALLEST)))


def _match(
    tracks: Sequence[Track], found: Sequence[Detection], places: Sequence[int], overlap: float, *, rated: bool
) -> dict[Track, int]:
    """Pair tracks with detections of their label at some places of `found`, by how much they overlap, at least `overlap`.

    `rated`: the overlap counts times the detection's confidence.
    """
    if not tracks or not places:
        return {}
    chosen = [found[place] for place in places]
    alike = _overlaps(tracks, [np.array((d.box.x, d.box.y, d.box.x + d.box.w, d.box.y + d.box.h)) for d in chosen])
    if rated:
        alike = alike * np.array([detection.confidence for detection in chosen])
    same = np.array([[track.label == detection.label for detection in chosen] for track in tracks])
    return {tracks[row]: places[column] for row, column in assign(np.where(same, 1 - alike, 9.0), 1 - overlap)}


def _overlaps(tracks: Sequence[Track], others: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Intersection over union of where each track is with each of other boxes (left, top, right, bottom)."""
    if not tracks or not others:
        return np.zeros((len(tracks), len(others)))
    one, other = np.array([track.motion.corners() for track in tracks])[:, None], np.array(others)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    common = np.clip(sides, 0, None).prod(-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    return np.asarray(common / np.maximum(areas - common, 1e-12))
