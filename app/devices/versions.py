"""Versions of the software whose results a job holds, told without importing any of it."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from app import __version__

_PACKAGES: Final = {
    "opencv": ("opencv-contrib-python-headless", "opencv-python-headless", "opencv-contrib-python", "opencv-python"),
    "pyav": ("av",),
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
}


@cache
def software_versions() -> dict[str, str]:
    """Give the versions by name; what is not installed as a package (an OpenCV of your own build) is left out."""
    found = {"sightline": __version__, "python": platform.python_version()}
    for name, distributions in _PACKAGES.items():
        known = next((v for distribution in distributions if (v := _version(distribution))), None)
        if known:
            found[name] = known
    return found


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
