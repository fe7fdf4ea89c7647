"""A bare loop over a clip with a plugin and nothing else, in a process of its own: what the engine is held against.

`python -m tests.bench.engine.bare READER CLIP PLUGIN_FOLDER OPTIONS LOOPS` says `ready`, waits for a line, runs, and prints
frames, wall and CPU seconds. READER is `pyav` (one thread, the worker's own way of decoding) or `opencv` (cv2.VideoCapture,
and all the threads that OpenCV takes by itself).
"""

import ctypes
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from app.devices.attach import Attachments
from app.domain.device import DeviceRequest
from app.registry.load import load_plugin
from app.registry.manifest import check_options, read_manifest
from app.registry.models import ModelShelf
from app.sdk import Frame, PrepareContext


def keep_freed_memory() -> None:
    """Do as a worker does, for the comparison is with what the engine adds."""
    libc = ctypes.CDLL(None)
    libc.mallopt(-3, 32 << 20)
    libc.mallopt(-1, 512 << 20)


def read_pyav(clip: str) -> Iterator[np.ndarray]:
    """Decode with one thread, as a worker does."""
    reformatter = VideoReformatter()
    with av.open(clip) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
        for frame in container.decode(stream):
            yield reformatter.reformat(frame, format="bgr24", threads=1).to_ndarray()


def read_opencv(clip: str) -> Iterator[np.ndarray]:
    """Decode with OpenCV's defaults."""
    video = cv2.VideoCapture(clip)
    while True:
        found, pixels = video.read()
        if not found:
            return
        yield pixels


def main(reader: str, clip: str, folder: str, options: str, loops: str) -> None:
    """Prepare, wait for the word, run."""
    keep_freed_memory()
    if reader == "pyav":
        cv2.setNumThreads(1)
    metadata = read_manifest(Path(folder))
    checked = check_options(metadata, metadata.id, json.loads(options))
    placed = ModelShelf(None).placed(metadata, Path(folder), checked)
    request = DeviceRequest.parse("cpu")
    attach = Attachments(request, stage=metadata.id, devices=metadata.devices, threads=cv2.getNumThreads()).attach
    plugin = load_plugin(Path(folder), metadata.entry)
    plugin.prepare(PrepareContext(placed, Path(folder), request, cv2.getNumThreads(), attach))
    read = {"pyav": read_pyav, "opencv": read_opencv}[reader]
    print("ready", flush=True)
    sys.stdin.readline()
    frames, begun, busy = 0, perf_counter(), process_time()
    for _ in range(int(loops)):
        for index, pixels in enumerate(read(clip)):
            plugin.process_frame(Frame(pixels, index, None))
            frames += 1
    print(json.dumps({"frames": frames, "wall_s": perf_counter() - begun, "cpu_s": process_time() - busy}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
