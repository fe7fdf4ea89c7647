"""A worker's memory: how much it may take, and what running out of it looks like."""

import resource
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_NVIDIA: Final = Path("/dev/nvidiactl")
_HELD_BY_OTHERS: Final = 0.6  # of the limit: where more is taken already, the plugin in hand may not be the one that takes it
_CV2_NO_MEMORY: Final = -4
_SIGNS: Final = ("bad_alloc", "Failed to allocate memory", "Cannot allocate memory")  # of libraries with errors of their own
_allowed_mb = 0


def bound(memory_mb: int) -> None:
    """Let this process take so much memory (MB; 0: no limit); what it has reserved and not used by now is left out.

    With an NVIDIA driver the parent alone watches the limit, for CUDA reserves more address space than it uses.
    """
    global _allowed_mb  # noqa: PLW0603  # a process has one limit, set once when it starts
    _allowed_mb = memory_mb
    if memory_mb and not _NVIDIA.exists():
        most = memory_mb * 1_000_000 + max(0, _bytes("VmData:") - _bytes("RssAnon:"))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def ran_out(error: BaseException) -> bool:
    """Say whether an error means that there was no memory."""
    if isinstance(error, MemoryError):
        return True
    if type(error).__module__ == "cv2" and getattr(error, "code", None) == _CV2_NO_MEMORY:
        return True
    text = str(error)
    return any(sign in text for sign in _SIGNS)


def crowded() -> bool:
    """Say whether most of what this process may take is taken, so that a fresh process may have better luck."""
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return most != resource.RLIM_INFINITY and _bytes("VmData:") > _HELD_BY_OTHERS * most


def limit(memory_mb: int | None = None) -> str:
    """What a worker may use (None: this process), as the end of a sentence; empty where there is no limit."""
    allowed = _allowed_mb if memory_mb is None else memory_mb
    return f"; a worker may use {allowed} MB (SIGHTLINE_WORKER_MEMORY_MB)" if allowed else ""


def memory_of(pid: int) -> int:
    """Bytes a process holds that cannot be read back from a file; 0 once it has ended."""
    return _bytes("RssAnon:", "RssShmem:", "VmSwap:", status=Path(f"/proc/{pid}/status"))


def kills_for_memory() -> int:
    """How often this machine's kernel has killed a process for want of memory since it started; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _bytes(*names: str, status: Path = _STATUS) -> int:
    try:
        lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(names))
