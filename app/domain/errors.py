"""The one error family: each class holds the sentence a person reads."""

from typing import ClassVar, Self


class SightlineError(Exception):
    """Root of every error a person can cause or meet; `facts` fill in the class's sentence."""

    sentence: ClassVar[str] = "Something went wrong."

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.sentence.format(**facts))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.facts)

    @classmethod
    def because(cls, reason: str) -> Self:
        """Build an error whose sentence takes the one fact `reason`."""
        return cls(reason=reason)


def _rebuild(kind: type[SightlineError], facts: dict[str, object]) -> SightlineError:
    return kind(**facts)


class MalformedBody(SightlineError):
    """The request's body is cut off or cannot be read."""

    sentence = "The request's body could not be read: {reason}."


class UnsupportedBody(SightlineError):
    """The request's body has a media type that is not taken here."""

    sentence = "The body's type is {actual!r}, expected {expected}."


class UnknownField(SightlineError):
    """A request names a field that does not exist."""

    sentence = "There is no field {field!r} here; the known ones are {known}."


class BadField(SightlineError):
    """A field of a request cannot be taken."""

    sentence = "The field {field!r} is {actual!r}, expected {expected}."


class UnknownFilter(SightlineError):
    """A query names a filter, or a value of one, that does not exist."""

    sentence = "There is no {what} {actual!r}; the known ones are {known}."


class UnknownJob(SightlineError):
    """No job has this id."""

    sentence = "There is no job {job_id!r}."


class UnknownPage(SightlineError):
    """Nothing is served at this address."""

    sentence = "There is nothing at {path}."


class UnknownFrame(SightlineError):
    """The job has no frame with this index."""

    sentence = "Job {job_id} has no frame {frame_index}: {reason}."


class FrameGone(SightlineError):
    """The frame of a live source was not kept."""

    sentence = "Frame {frame_index} of job {job_id} is gone: its source is live and keeps no pictures."


class WrongState(SightlineError):
    """The job's status does not allow what was asked."""

    sentence = "Job {job_id} is {status}; {verb} needs a job that is {expected}."


class IdempotencyConflict(SightlineError):
    """An Idempotency-Key was used before with another request."""

    sentence = "The Idempotency-Key {key!r} was used before for a different request."


class UploadTooLarge(SightlineError):
    """An upload is larger than the limit."""

    sentence = "The upload is larger than the limit of {limit_mb} MB; raise SIGHTLINE_MAX_UPLOAD_MB to take it."


class BodyTooLarge(SightlineError):
    """A request's body, without its file, is larger than any that makes sense."""

    sentence = "The request's body is larger than {limit_kb} kB, the most taken beside a file."


class QueueFull(SightlineError):
    """Too many jobs are waiting."""

    sentence = "{queued} jobs are waiting already, the most that may; try again when some are done."


class DiskFull(SightlineError):
    """There is no room left to store what came in."""

    sentence = "There is no room left to store {what}: {reason}."


class UnreadableMedia(SightlineError):
    """The source is not media that can be decoded."""

    sentence = "{name} cannot be read as an image or a video: {reason}."


class EmptyMedia(SightlineError):
    """The source holds no picture."""

    sentence = "{name} holds no frames: {reason}."


class UnsupportedSource(SightlineError):
    """A source of this kind cannot be read yet, or may not be."""

    sentence = "{name} cannot be used as a source: {reason}."


class UnknownPlugin(SightlineError):
    """No plugin has this id."""

    sentence = "There is no plugin {plugin!r}; the known ones are {known}."


class BrokenPlugin(SightlineError):
    """A plugin was found but cannot be used."""

    sentence = "Plugin {plugin!r} is broken: {reason}."


class BadManifest(SightlineError):
    """A plugin.toml breaks its rules."""

    sentence = "{path}: {reason}."


class BadPipeline(SightlineError):
    """A pipeline cannot be run as it was given; its fact `problems` holds every reason, where there may be several."""

    sentence = "The pipeline cannot be run: {reason}."


class UnknownPipeline(SightlineError):
    """No pipeline is saved under this name."""

    sentence = "There is no saved pipeline {pipeline!r}; the known ones are {known}."


class BadOption(SightlineError):
    """An option of a stage has a value the plugin does not take."""

    sentence = "Stage {stage!r}: option {option!r} is {actual!r}, expected {expected}."


class ModelMissing(SightlineError):
    """A stage needs a known model that is not on this machine."""

    sentence = (
        "Stage {stage!r} needs the model {model!r}, which {state} ({size}, {license}). Fetch it: sightline models pull {model}"
    )


class RuntimeMissing(SightlineError):
    """A stage asks for a runtime that is not installed."""

    sentence = "Stage {stage!r} asks for the runtime {runtime!r}: {reason}"


class UnknownModel(SightlineError):
    """No plugin names this model."""

    sentence = "There is no model {model!r}; the known ones are {known}."


class PullFailed(SightlineError):
    """A model could not be fetched."""

    sentence = "{model} was not fetched: {reason}."


class BadDevice(SightlineError):
    """A device request cannot be understood."""

    sentence = "The device is {device!r}, expected auto, cuda, cuda:N, cuda_fp16, openvino, opencl or cpu."


class DeviceRefused(SightlineError):
    """A strict device request cannot be met."""

    sentence = "Stage {stage!r} was asked to run on {requested} and nothing else: {reason}"


class AttachFailed(SightlineError):
    """A network cannot be bound to any device that is allowed."""

    sentence = "{model} cannot be run: {reason}."


class NotSignedIn(SightlineError):
    """The request carries no valid token."""

    sentence = "This server wants a token: send it as Authorization: Bearer, or sign in."


class ForeignRequest(SightlineError):
    """The request comes from another web page or names another host."""

    sentence = "The request was refused: its {header} is {actual!r}, which is not this server."


class NotReady(SightlineError):
    """The server cannot take work right now."""

    sentence = "The server is not ready: {reason}."


class TooManySubscribers(SightlineError):
    """The feed has as many subscribers as it may."""

    sentence = "The feed has {limit} subscribers, the most it takes; try again in a moment."


class WorkerLost(SightlineError):
    """A worker process ended or hung in the middle of its work."""

    sentence = "Worker {worker} was lost at frame {frame_index} in {stage}: {cause}."


class ServerTrouble(SightlineError):
    """A script cannot do what it wanted with a running server."""

    sentence = "The server cannot be used: {reason}."
