"""Sums a stage up: lets its plugin finalize the committed outputs, and takes the summary as JSON."""

from collections.abc import Sequence

import msgspec
import numpy as np

from app.domain.job import RowsPlace
from app.engine.rows import read_outputs
from app.engine.stages import StageRun
from app.engine.trouble import describe, detail_of


def sum_up(run: StageRun, folder: str, rows: Sequence[RowsPlace]) -> tuple[bytes | None, str | None, str | None]:
    """Let a prepared stage finalize its outputs; gives the summary as JSON, or the error and its traceback."""
    try:
        summary = run.plugin.finalize(read_outputs(folder, rows, run.id))  # type: ignore[union-attr]  # it is prepared
        return msgspec.json.encode(dict(summary), enc_hook=_plain), None, None
    except BaseException as failure:  # noqa: BLE001  # the worker's edge: a plugin may raise anything, also SystemExit
        return None, describe(failure), detail_of(failure)


def _plain(value: object) -> object:
    """Take numpy's numbers and arrays in a summary as what they hold."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"finalize gave a {type(value).__name__}, which cannot be written as JSON")
