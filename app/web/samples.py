"""Pictures and clips that come with Sightline and its plugins, for whoever has none at hand."""

from pathlib import Path
from typing import Final

from app.web.parts import Parts

_APP: Final = Path(__file__).parents[1]
CLIP: Final = "clip"  # the name under which the bundled clip is asked for
CLIP_PLUGINS: Final = ("shapes_dnn", "tracker")
_FOLDERS: Final = (_APP / "bundled" / "samples", _APP.parent / "samples")


def sample_of(parts: Parts, name: str) -> Path | None:
    """Give the sample picture of a plugin by its id, or the bundled clip; None where there is none."""
    if name == CLIP:
        return next((clip for folder in _FOLDERS if (clip := folder / "shapes.mp4").is_file()), None)
    found = parts.catalogue.found.get(name)
    if found is None or found.broken:
        return None
    picture = parts.catalogue.folder(name) / "sample.png"
    return picture if picture.is_file() else None
