"""What a worker wrote of itself before it ended: faulthandler's stacks."""

import asyncio
import os
from typing import Final

_BYTES: Final = 4000
_LOOK_S: Final = 0.05
_PATIENCE_S: Final = 2.0  # a machine with much to do may let the process wait for its turn


class LastWords:
    """The file that faulthandler writes in a worker."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._closed = descriptor, False

    def read(self) -> str:
        """Give what was written last: the stack of each thread, the main one's last."""
        return os.pread(self._descriptor, _BYTES, max(0, self._size() - _BYTES)).decode("utf-8", "replace")

    async def come(self) -> None:
        """Wait until more is written, but not for long."""
        before = self._size()
        for _ in range(round(_PATIENCE_S / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            if self._closed or self._size() > before:
                break
        await asyncio.sleep(_LOOK_S)  # it is written bit by bit

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        os.close(self._descriptor)

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size
