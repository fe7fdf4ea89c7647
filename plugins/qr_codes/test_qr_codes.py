"""qr_codes by the harness, against what was written into its sample, and at its limits."""

import importlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from app.sdk import Box, Frame, Text
from app.testing.harness import Harness


def test_it_does_what_the_engine_relies_on(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def maker(harness: Harness) -> Any:
    """Import make_sample.py beside this file, the way a worker would."""
    return importlib.import_module(".make_sample", type(harness.trial().witness.plugin).__module__.rpartition(".")[0])


def read(harness: Harness, picture: np.ndarray, **options: Any) -> Text:
    output = harness.trial(**options).process(Frame(np.ascontiguousarray(picture), 0, None))
    assert isinstance(output, Text), output
    return output


def code(text: str | bytes, scale: int = 6) -> np.ndarray:
    """Draw one code on white."""
    pattern = cv2.QRCodeEncoder.create().encode(text)
    squares = cv2.copyMakeBorder(pattern, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=255)
    return cv2.cvtColor(cv2.resize(squares, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR)


def test_the_sample_is_what_its_script_draws_and_each_code_is_read_where_it_is(harness: Harness) -> None:
    drawn = maker(harness)
    picture = drawn.draw()
    (frame,) = harness.every_frame()
    assert float(np.abs(frame.pixels.astype(int) - picture.astype(int)).mean()) < 3  # versions of OpenCV round otherwise
    output = read(harness, frame.pixels)
    wanted = drawn.CODES[:2]
    assert [block.text for block in output.blocks] == [one.text for one in wanted]
    for block, one in zip(output.blocks, wanted, strict=True):
        left, top = drawn.outline(one).min(axis=0)
        right, bottom = drawn.outline(one).max(axis=0)
        assert block.box.iou(Box.from_pixels(left, top, right - left, bottom - top, drawn.SIZE)) > 0.9
    assert [shape.label for shape in output.shapes].count("unread") == 1


def test_codes_that_cannot_be_read_are_drawn_only_where_that_is_wanted(harness: Harness) -> None:
    output = read(harness, maker(harness).draw(), unread=False)
    assert [shape.label for shape in output.shapes] == [block.text for block in output.blocks]


@pytest.mark.parametrize("text", ["7", "https://example.org/?a=b&c=d", "Grüße 你好", "a" * 200, "two\nlines"])
@pytest.mark.parametrize("turns", range(4))
def test_any_text_is_read_whichever_way_the_code_is_turned(harness: Harness, text: str, turns: int) -> None:
    assert [block.text for block in read(harness, np.rot90(code(text), turns)).blocks] == [text]


def test_a_code_in_a_large_frame_is_read_at_the_width_asked_for(harness: Harness) -> None:
    wall = np.full((1080, 1920, 3), 120, np.uint8)
    small = code("far away", 6)
    wall[500 : 500 + small.shape[0], 900 : 900 + small.shape[1]] = small
    (block,) = read(harness, wall).blocks
    assert block.text == "far away"
    assert block.box.x == pytest.approx((900 + 4 * 6) / 1920, abs=0.01)
    assert read(harness, wall, max_width=320).blocks == ()


def test_nothing_is_read_where_there_is_no_code(harness: Harness) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    for picture in (noise, np.zeros((240, 320, 3), np.uint8), np.full((240, 320, 3), 255, np.uint8)):
        assert read(harness, picture) == Text(())
