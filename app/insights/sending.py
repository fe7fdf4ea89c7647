"""A write begun at once, and finished in a task of its own only where the other side does not take it at once."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def begin(sending: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a write as far as it goes: give None when it is done, else the task that finishes it; raise what it raises.

    Most writes are done at once, and a task for each would cost more than the write.
    """
    try:
        waits_for = sending.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_finish(_Rest(sending, waits_for)))


async def _finish(rest: "_Rest") -> None:
    await rest


class _Rest(Generator[Any, Any, None]):
    """What is left of a coroutine that was begun by hand: first what it waits for, then the coroutine itself."""

    def __init__(self, sending: Coroutine[Any, Any, None], waits_for: object) -> None:
        self._sending = sending
        self._waits_for = [waits_for]

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def send(self, value: Any) -> Any:
        """Go on with what was waited for."""
        return self._waits_for.pop() if self._waits_for else self._sending.send(value)

    def throw(self, *error: Any) -> Any:
        """Pass an error or a cancellation on."""
        return self._sending.throw(*error)
