"""What to do about an error, in words beside the form it came of."""

from collections.abc import Mapping
from typing import Final

from app.domain import errors
from app.web.errors import NoSuchPlugin

_CURES: Final[Mapping[type[errors.SightlineError], str]] = {
    errors.UploadTooLarge: "Choose a smaller file, or a shorter part of the video.",
    errors.UnreadableMedia: "Choose a video or an image that plays on your own machine.",
    errors.EmptyMedia: "Choose a file with at least one picture in it.",
    errors.UnsupportedSource: "Send the file itself, or name another source.",
    errors.BadDevice: "Pick a device from the list.",
    errors.BadPipeline: "Pick what is missing, or leave out what does not fit.",
    errors.ModelMissing: "Fetch it with the command above, then start again.",
    errors.QueueFull: "Wait until some jobs are done, or cancel one.",
    errors.DiskFull: "Delete jobs that are no longer needed, then start again.",
    errors.MalformedBody: "The upload was cut off on its way. Start again.",
    errors.UnknownJob: "The job was deleted meanwhile. Choose a file instead.",
    NoSuchPlugin: "See the page of plugins for those that are here.",
}
_OF_FIELDS: Final = {
    "plugins": "Pick at least one plugin that shall look at the video.",
    "pipeline": "Either take the saved pipeline, or pick plugins.",
    "file": "Choose a video or an image.",
    "name": "Give it another name.",
}
_CURE: Final = "Change what is wrong and start again."


def cure_of(error: errors.SightlineError) -> str:
    """Say what to do about an error."""
    if isinstance(error, errors.BadField):
        return _OF_FIELDS.get(str(error.facts.get("field")), "Change what is named here and start again.")
    return next((cure for kind, cure in _CURES.items() if isinstance(error, kind)), _CURE)


def wrong_option(error: errors.SightlineError | None) -> tuple[str, str, str] | None:
    """Give the stage, the option and what was expected, where an option is what is wrong."""
    if not isinstance(error, errors.BadOption):
        return None
    expected = f"Expected {error.facts['expected']}."
    return str(error.facts["stage"]), str(error.facts["option"]), expected
