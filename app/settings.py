"""Every setting once, each described; the environment names them SIGHTLINE_*."""

import os
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def bundled(folder: str) -> Path:
    """Where a folder that ships with Sightline lies: inside the installed package, else at the checkout's root."""
    inside = Path(__file__).parent / "bundled" / folder
    return inside if inside.is_dir() else Path(__file__).parents[1] / folder


def default_workers() -> int:
    """One worker to a core this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


class Settings(BaseSettings):
    """What can be set, read from the environment (and from `.env` never: a setting has one place)."""

    model_config = SettingsConfigDict(env_prefix="SIGHTLINE_", extra="ignore")

    home: Path = Field(
        default_factory=lambda: user_data_path("sightline", appauthor=False),
        description="Folder for the database, uploads, outputs and models.",
    )
    database_url: str = Field(
        default="", description="SQLAlchemy address of the database; empty means SQLite in the home folder."
    )
    workers: int = Field(default_factory=default_workers, ge=1, le=256, description="Worker processes that run plugins.")
    max_upload_mb: int = Field(default=4096, ge=1, description="Largest upload taken, in MB (1,000,000 bytes).")
    plugins_path: str = Field(
        default="", description="More folders to look for plugins in, parted by the platform's path separator."
    )
    token: str = Field(default="", description="Token that API, feed and pages want; needed to serve off loopback.")
    worker_memory_mb: int = Field(
        default=0, ge=0, description="Most memory one worker may use, in MB; 0 means no limit of Sightline's own."
    )
    max_subscribers: int = Field(default=1000, ge=1, description="Most subscribers the feed takes at once.")
    allow_private_sources: bool = Field(
        default=False, description="Whether addresses on private networks may be used as sources."
    )
    source_roots: str = Field(
        default="", description="Folders whose files may be named as sources, parted by the platform's path separator."
    )
    max_queued_jobs: int = Field(default=1000, ge=1, description="Most jobs that may wait; more are refused with 429.")

    @property
    def database(self) -> str:
        """Address of the database, with the default filled in."""
        return self.database_url or f"sqlite:///{self.home / 'sightline.db'}"

    @property
    def models_folder(self) -> Path:
        """Folder of the model files that were fetched, one folder to a plugin."""
        return self.home / "models"

    @property
    def plugin_folders(self) -> tuple[Path, ...]:
        """Folders to look for plugins in: the bundled ones first."""
        return bundled("plugins"), *paths(self.plugins_path)


def paths(text: str) -> tuple[Path, ...]:
    """Read a list of folders parted by the platform's path separator."""
    return tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)
