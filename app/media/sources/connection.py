"""One connection to an address: opened with time limits, and its frames as they come."""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import av

from app.domain.address import FILES, Address
from app.domain.errors import UnsupportedSource
from app.domain.media import MediaInfo
from app.media.reach import check_address, follow, pinned
from app.media.sources.run import said
from app.media.sources.video import quarter_turns

_PROTOCOLS: Final = "tcp,udp,tls,http,https,crypto,rtp,rtsp,rtsps,srtp,rtmp,rtmps,rtmpt,srt"
# Others would show any text as a picture.
_FORMATS: Final = (
    "mov,mp4,matroska,webm,mpegts,mpeg,mpegvideo,mpjpeg,mjpeg,flv,live_flv,avi,ogg,h264,hevc,ivf,asf,nut,rtsp,"
    "jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif"
)
_PLAYLISTS: Final = ",hls,dash,sdp,aac,mp3,webvtt"  # they lead on to addresses that nobody has checked
_TIMELESS: Final = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe"})
_SILENT: Final = "it does not answer"
_SHORT_S: Final = 1.0  # a file that ends by this much before its end, and a twentieth of it, was cut off
_SHORT_SHARE: Final = 0.05


class Refused(Exception):
    """The other side will not give what is asked for, however often it is asked; the sentence says why."""


class Lost(Exception):
    """The connection could not be made, or broke; the clause says how."""


class CutShort(Lost):
    """A file ended before its end."""


class Arrival(NamedTuple):
    """A frame as it came, with its media time within the connection (None: it has none), and whether it may be wrong."""

    frame: av.VideoFrame
    t_s: float | None
    doubtful: bool


class Connection:
    """An address opened once. `live` says that what it gives cannot be had again later.

    Raises UnsupportedSource, Refused or Lost; each step takes at most `timeout_s`, and what is looked up its own time.
    """

    def __init__(self, address: Address, *, allow_private: bool, timeout_s: float) -> None:
        self._name, begun = address.shown, time.monotonic()
        formats = _FORMATS + (_PLAYLISTS if allow_private else "")
        options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": formats, "analyzeduration": "3000000"}
        if address.scheme.startswith("rtsp"):
            options["rtsp_flags"] = "prefer_tcp"
        try:
            if not allow_private:
                ip = check_address(address, allow_private=False) or ""
                if address.scheme in FILES:
                    address, ip = follow(address, ip)
                    address, headers = pinned(address, ip)
                    options |= {"max_redirects": "0", **headers}
            self._container = av.open(address.url, metadata_errors="replace", options=options, timeout=(timeout_s, timeout_s))
        except UnsupportedSource:
            raise
        except (av.FFmpegError, OSError) as error:
            if time.monotonic() - begun >= timeout_s:  # some protocols say anything at all when they were kept waiting
                raise Lost(_SILENT) from None
            raise _why_not(error, address, self._name) from None
        try:
            self._stream = self._best_video()
            self._look(address)
        except BaseException:
            self._container.close()
            raise

    def _best_video(self) -> av.VideoStream:
        stream = self._container.streams.best("video")
        if not isinstance(stream, av.VideoStream):
            raise Refused(f"{self._name} has no video in it.")
        stream.codec_context.thread_type = "SLICE"
        return stream

    def _look(self, address: Address) -> None:
        container, stream = self._container, self._stream
        rate = stream.average_rate or stream.guessed_rate
        timeless = container.format.name in _TIMELESS
        self.duration_s = container.duration / av.time_base if container.duration else None
        self.live = address.scheme not in FILES or not (self.duration_s or container.size > 0)
        self._base = None if timeless or stream.time_base is None else float(stream.time_base)
        self.media = MediaInfo(
            width=stream.width, height=stream.height, frames=None,
            duration_s=self.duration_s, fps=None if timeless or not rate else round(float(rate), 6),
            container=container.format.name.partition(",")[0], codec=stream.codec_context.name,
        )  # fmt: skip

    def measured(self, frame: av.VideoFrame) -> MediaInfo:
        """Measured facts of the source, once its first frame is here: the size is that of the upright frame."""
        turned = quarter_turns(frame.rotation) % 2
        width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
        told = self.media
        return MediaInfo(
            width, height, None, told.duration_s, told.fps, told.container, told.codec, rotation=frame.rotation % 360
        )

    def arrivals(self) -> Iterator[Arrival]:
        """Give frames as they come, to the end of the source; raises Lost where the connection breaks before."""
        first: int | None = None
        damaged, t_s = False, None
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    damaged = True
                    continue
                for frame in frames:
                    if frame.pts is not None and first is None:
                        first = frame.pts
                    if frame.pts is not None and first is not None and self._base is not None:
                        t_s = (frame.pts - first) * self._base
                    damaged = (damaged or frame.is_corrupt) and not frame.key_frame
                    yield Arrival(frame, t_s if self._base is not None else None, damaged)
        except av.EOFError:
            pass
        except (av.FFmpegError, OSError, IndexError) as error:  # IndexError: PyAV's where a stream more turns up
            raise Lost(_clause(error)) from None
        if self.live and self.duration_s is None:
            raise Lost("the other side closed the connection")
        missing = (self.duration_s or 0.0) - (t_s or 0.0)
        if missing > max(_SHORT_S, _SHORT_SHARE * (self.duration_s or 0.0)):
            raise CutShort("it ended before its end")

    def close(self) -> None:
        """Hang up."""
        self._container.close()


def _why_not(error: Exception, address: Address, name: str) -> Refused | Lost:
    if isinstance(error, av.HTTPClientError) and not isinstance(error, av.HTTPTooManyRequestsError):
        return Refused(f"{name} is not given: {said(error)}. Check the address and what it takes to sign in there.")
    if isinstance(error, av.InvalidDataError | av.ArgumentError) and address.scheme in FILES:
        return Refused(f"{name} sends nothing that can be read as a video ({said(error).lower()}).")
    return Lost(_clause(error))


def _clause(error: Exception) -> str:
    """Say what broke a connection, without the address, which may hold credentials."""
    if isinstance(error, av.ExitError | TimeoutError):
        return _SILENT
    if isinstance(error, av.FFmpegError):
        return said(error).lower()
    return (error.strerror or str(error) if isinstance(error, OSError) else type(error).__name__).lower()
