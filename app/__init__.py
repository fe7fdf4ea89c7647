"""Sightline watches vision plugins work."""

__version__ = "0.1.0"
