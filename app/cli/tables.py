"""How jobs and plugins look in a terminal."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.plugin import FoundPlugin
from app.web.schemas import BreakdownDocument, JobDocument

STYLES = {
    "completed": "green", "completed_with_warnings": "yellow", "failed": "red", "cancelled": "red", "ok": "green",
    "degraded": "yellow", "failing": "red",
}  # fmt: skip


def show_job(console: Console, job: JobDocument) -> None:
    """Print a job: how it ended, where its time went, what it ran on, what went wrong."""
    status = Text(job.status.value.replace("_", " "), style=STYLES.get(job.status.value, "cyan"))
    total = "?" if job.frames_total is None else str(job.frames_total)
    ran = f", on {job.device_used}" if job.device_used else ""
    console.print(Text.assemble(job.name, " (", job.id, "): ", status, f", {job.frames_done} of {total} frames{ran}"))
    if job.error:
        console.print(Text(job.error, style="red"))
    if job.breakdown:
        console.print(breakdown_table(job.breakdown))
    for row in job.breakdown:
        if row.health_reason:
            console.print(Text(f"{row.stage} is {row.health.value}: {row.health_reason}", style=STYLES[row.health.value]))
        if row.device is not None:
            ran_on = f"ran on {row.device.used.value}" if row.device.used else "did not run"
            console.print(Text(f"{row.stage} {ran_on} (asked for {row.device.requested}): {row.device.reason}"))
    for warning in job.warnings:
        where = "" if warning.first_frame_index is None else f", first at frame {warning.first_frame_index}"
        stage = f"{warning.stage}: " if warning.stage else ""
        console.print(Text(f"{stage}{warning.code} × {warning.count}{where}: {warning.message}", style="yellow"))


def breakdown_table(rows: Iterable[BreakdownDocument]) -> Table:
    """Where a job's time went; narrow enough for eighty columns."""
    known = list(rows)
    whole = sum(row.total_ms for row in known) or 1.0
    table = Table(title="Where the time went", title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for name in ("frames", "failed", "total s", "share", "p50 ms", "p95 ms", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("health", no_wrap=True)
    for row in known:
        table.add_row(
            row.stage,
            str(row.frames),
            str(row.soft_failures) if row.plugin else "",
            f"{row.total_ms / 1000:.2f}",
            f"{row.total_ms / whole:.0%}",
            f"{row.p50_ms:.2f}",
            f"{row.p95_ms:.2f}",
            "" if row.budget_ms is None else f"{row.budget_ms:g}",
            Text(row.health.value, style=STYLES[row.health.value]) if row.plugin else "",
        )
    return table


def jobs_table(rows: Iterable[JobDocument]) -> Table:
    """A list of jobs, newest first."""
    table = Table("id", "name", "status", "frames", "device", "created", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = table.columns[5].no_wrap = True  # an id is there to be copied
    for job in rows:
        status = Text(job.status.value.replace("_", " "), style=STYLES.get(job.status.value, "cyan"))
        total = "?" if job.frames_total is None else str(job.frames_total)
        created = job.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(job.id, job.name, status, f"{job.frames_done}/{total}", job.device_used or "", created)
    return table


def plugins_table(found: Iterable[FoundPlugin]) -> Table:
    """A list of plugins; a broken one with its reason."""
    table = Table("id", "version", "does", "budget ms", "state", box=SIMPLE_HEAD, pad_edge=False)
    for plugin in found:
        metadata = plugin.metadata
        if metadata is None:
            table.add_row(plugin.id, "", "", "", Text(f"broken: {plugin.reason}", style="red"))
        else:
            does = ", ".join(capability.value for capability in metadata.capabilities)
            in_order = "in order, on one worker" if metadata.needs_pixels else "in order, behind the others"
            state = in_order if metadata.stateful else "on every worker"
            table.add_row(plugin.id, metadata.version, does, f"{metadata.latency_budget_ms:g}", state)
    return table
