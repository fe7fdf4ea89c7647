"""Pictures of stories: taken in a stable way, kept small, and compared so that another machine's fonts do not matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

STABLE = """
  :root { --sans: "DejaVu Sans"; --mono: "DejaVu Sans Mono"; }
  *, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }
"""
PLACES = """ids => {
  const round = (story) => story.querySelector('.stage-set');
  for (const stage of [...document.querySelectorAll('[data-story]')].map(round)) {
    const top = stage.getBoundingClientRect().top + scrollY;  // at a whole pixel, or the same story would look different
    stage.style.marginTop = `${parseFloat(getComputedStyle(stage).marginTop) + Math.ceil(top) - top}px`;
  }
  return ids.map(id => {
    const box = round(document.querySelector(`[data-story="${id}"]`)).getBoundingClientRect();
    return [box.left, box.top + scrollY, box.width, box.height].map(Math.round);
  });
}"""
PIECE = 6000  # pixels of a long page that are taken at once
CELL = 12  # pixels; pictures are compared cell by cell
MOST_APART = 26  # of 255, for the mean of a cell: an icon that is gone differs by more, another version's glyphs by less
MOST_CELLS = 0.003
SIZE_SLACK = 3


@dataclass(frozen=True)
class Album:
    """A picture of each story, by its id."""

    pictures: dict[str, np.ndarray]

    @classmethod
    def of(cls, page: Any, stories: Sequence[str]) -> "Album":
        """Take the pictures from a page that shows the stories."""
        page.add_style_tag(content=STABLE)
        page.evaluate("document.fonts.ready.then(() => 0)")
        places = page.evaluate(PLACES, list(stories))
        height = page.evaluate("document.documentElement.scrollHeight")
        width = page.viewport_size["width"]
        pieces = [
            page.screenshot(full_page=True, clip={"x": 0, "y": y, "width": width, "height": min(PIECE, height - y)})
            for y in range(0, height, PIECE)
        ]
        whole = np.vstack([cv2.imdecode(np.frombuffer(piece, np.uint8), cv2.IMREAD_COLOR) for piece in pieces])
        return cls({name: few_colours(whole[y : y + h, x : x + w]) for name, (x, y, w, h) in zip(stories, places, strict=True)})

    def keep(self, folder: Path, only: str = "") -> None:
        """Write the pictures (or one) into a folder; what looks as before stays as it is, what is of no story goes."""
        folder.mkdir(parents=True, exist_ok=True)
        if not only:
            for old in folder.glob("*.png"):
                if old.stem not in self.pictures:
                    old.unlink()
        for name in [only] if only else self.pictures:
            path = folder / f"{name}.png"
            if not path.is_file() or difference(path, self.pictures[name]):
                assert cv2.imwrite(str(path), self.pictures[name], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def few_colours(picture: np.ndarray) -> np.ndarray:
    """Round colours to 16 steps each, which a PNG takes half the room for."""
    return (np.round(picture / 17.0) * 17).astype(np.uint8)


def difference(kept: Path, now: np.ndarray) -> str:
    """Say in words how a picture differs from the one that is kept; empty where a person would not see it."""
    before = cv2.imread(str(kept), cv2.IMREAD_COLOR)
    high, wide = (min(a, b) for a, b in zip(before.shape[:2], now.shape[:2], strict=True))
    if max(abs(a - b) for a, b in zip(before.shape[:2], now.shape[:2], strict=True)) > SIZE_SLACK:
        return f"it is {now.shape[1]} x {now.shape[0]} pixels, kept are {before.shape[1]} x {before.shape[0]}"
    size = (max(1, wide // CELL), max(1, high // CELL))
    one, two = (cv2.resize(p[:high, :wide], size, interpolation=cv2.INTER_AREA).astype(int) for p in (before, now))
    apart = np.abs(one - two).max(axis=2) > MOST_APART
    if apart.sum() <= MOST_CELLS * apart.size:
        return ""
    row, column = (int(axis[0]) for axis in np.nonzero(apart))
    return f"{apart.sum()} of {apart.size} cells differ, the first near ({column * CELL}, {row * CELL})"
