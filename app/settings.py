"""Every setting once, each described; the environment names them SIGHTLINE_*."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_MEMORY_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))  # containers'


def bundled(folder: str) -> Path:
    """Where a folder that ships with Sightline lies: inside the installed package, else at the checkout's root."""
    inside = Path(__file__).parent / "bundled" / folder
    return inside if inside.is_dir() else Path(__file__).parents[1] / folder


def default_workers() -> int:
    """One worker to a core this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


def default_worker_memory() -> int:
    """A worker's share of three quarters of this machine's memory, in MB: at least 1024, at most 4096."""
    memory = psutil.virtual_memory().total
    for limit in _MEMORY_LIMITS:
        with suppress(OSError, ValueError):  # not there, or "max"
            memory = min(memory, int(limit.read_text(encoding="ascii")))
    return int(min(4096, max(1024, memory * 0.75 / 1_000_000 / default_workers())))


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
    gpu_workers: int = Field(
        default=2, ge=1, le=64, description="Most workers that use one GPU; each holds some hundred MB of its memory."
    )
    max_upload_mb: int = Field(default=4096, ge=1, description="Largest upload taken, in MB (1,000,000 bytes).")
    plugins_path: str = Field(
        default="", description="More folders to look for plugins in, parted by the platform's path separator."
    )
    token: str = Field(default="", description="Token that API, feed and pages want; needed to serve off loopback.")
    worker_memory_mb: int = Field(
        default_factory=default_worker_memory,
        ge=0,
        description="Most memory one worker may use, in MB; 0 means no limit of Sightline's own. A plugin that asks for more "
        "fails on that frame alone. By itself a worker gets its share of three quarters of the machine's memory, "
        "between 1024 and 4096 MB.",
    )
    prepare_timeout_s: float = Field(
        default=120.0,
        gt=0,
        le=86400,
        description="Longest that a plugin's prepare may take, in seconds; a worker that takes longer is replaced, and after "
        "the second try the stage is left out.",
    )
    finalize_timeout_s: float = Field(
        default=300.0,
        gt=0,
        le=86400,
        description="Longest that a plugin's finalize may take, in seconds; after the second try its summary is left out.",
    )
    max_subscribers: int = Field(default=1000, ge=1, description="Most subscribers the feed takes at once.")
    overlays_per_s: float = Field(
        default=5.0, gt=0, le=30, description="Most overlays a second of a job that somebody watches; each is a picture."
    )
    metrics_per_s: float = Field(default=2.0, gt=0, le=30, description="Most metrics a second of a running job.")
    cors_origins: str = Field(
        default="", description="Web origins whose pages may read the API and the feed, parted by commas; empty: none."
    )
    hosts: str = Field(
        default="", description="More host names this server answers to, parted by commas, as behind a proxy; * takes any."
    )
    allow_private_sources: bool = Field(
        default=False,
        description="Whether addresses on private networks may be used as sources, and playlists, which lead on to others.",
    )
    source_patience_s: float = Field(
        default=60.0,
        gt=0,
        le=86400,
        description="Longest that an address may stay away, in seconds: at first until the job fails, later until it ends with "
        "what it has.",
    )
    source_roots: str = Field(
        default="", description="Folders whose files may be named as sources, parted by the platform's path separator."
    )
    url: str = Field(default="http://127.0.0.1:8000", description="Address of the server that `sightline watch` watches.")
    lease_s: float = Field(
        default=60.0,
        ge=2,
        le=86400,
        description="Seconds after which the work of a process that is not heard of goes to others.",
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


def words(text: str) -> frozenset[str]:
    """Read a list parted by commas; upper and lower case are the same."""
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def paths(text: str) -> tuple[Path, ...]:
    """Read a list of folders parted by the platform's path separator."""
    return tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)
