"""Small pieces of a streamed answer gathered into blocks, because each write to a socket costs more than its bytes."""

from collections.abc import Iterable, Iterator
from typing import Final

BLOCK_BYTES: Final = 64 * 1024


def blocks_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces until a block is full."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
