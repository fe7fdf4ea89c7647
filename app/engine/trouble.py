"""An exception in words: one line for a frame's row, and its traceback for whoever looks closer."""

import traceback
from typing import Final

from app.engine.memory import limit, ran_out

_DETAIL_CHARACTERS: Final = 8000


def describe(error: BaseException) -> str:
    """An exception in one line; where there was no memory, with what a worker may use."""
    text = str(error).strip().splitlines()
    line = f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
    return f"{line}{limit()}" if ran_out(error) else line


def detail_of(error: BaseException) -> str:
    """An exception's traceback, its end kept where it is long."""
    return "".join(traceback.format_exception(error))[-_DETAIL_CHARACTERS:]
