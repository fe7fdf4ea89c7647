"""The harness on a plugin as it should be, and on one for each bug a plugin may have: it is named, with its frame."""

import ctypes
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from app.testing import CHECKS, LONG_CHECKS
from app.testing.checks import CHECK_OF
from app.testing.drawing import CAME, EXPECTED
from app.testing.failure import CheckFailed, NotApplicable
from app.testing.harness import Harness
from tests.unit.testing.conftest import MakeBright, pixels_of

STATEFUL = "stateful = true\n"
PREPARE = "        self.threshold = 200\n"
SEEN = (PREPARE, PREPARE + "        self.seen = []\n")
PROCESS = "        rows, columns"
GIVE = 'Detection("bright", 0.87, box)'


def failures(folder: Path, *names: str) -> dict[str, CheckFailed]:
    """Make checks and give those that fail."""
    failed = {}
    with Harness(folder, pictures=folder.parent / "failures") as harness:
        for name in names:
            try:
                harness.check(name)
            except CheckFailed as failure:
                failed[name] = failure
            except NotApplicable:
                continue
    return failed


class Bug(NamedTuple):
    """A planted bug: how the code is changed, the check that must fail, how it must name the bug, and on which frame."""

    changes: tuple[tuple[str, str], ...]
    check: str
    name: str
    frame: int | None = None
    toml: str = ""


BUGS = {
    "state in a stateless plugin": Bug(
        (
            (PREPARE, PREPARE + "        self.seen = 0\n"),
            (PROCESS, "        self.seen += 1\n" + PROCESS),
            ("0.87", "1 / (1 + self.seen)"),
        ),
        "keeps-no-state", "state in a stateless plugin: a frame gives another output when", 0,
    ),
    "boxes in pixels": Bug(
        ((GIVE, 'Detection("bright", 0.87, Box(x, y, 10, 10))'),),
        "gives-typed-outputs", "boxes in pixels: box [0, 16, 10, 10] is not within the frame", 0,
    ),
    "a confidence of 87": Bug((("0.87", "87"),), "gives-typed-outputs", "a confidence in per cent: confidence is 87", 0),
    "a leak of frames": Bug(
        (SEEN, (PROCESS, "        self.seen.append(frame.pixels.repeat(3))\n" + PROCESS)),
        "leaks-nothing", "a leak: memory grew by ",
    ),
    "a leak beside the allocator": Bug(
        (SEEN, (PROCESS, "        import mmap\n        self.seen.append(mmap.mmap(-1, 30_000))\n"
         "        self.seen[-1].write(b'x' * 30_000)\n" + PROCESS)),
        "leaks-nothing", "a leak: memory grew by ",
    ),
    "a leak of numbers": Bug(
        (SEEN, (PROCESS, "        self.seen.append(float(frame.index))\n" + PROCESS)),
        "leaks-nothing", "a leak: 1.0 objects a frame are left behind, ",
    ),
    "a frame written to": Bug(
        ((PROCESS, "        frame.pixels[0, 0] = 0\n" + PROCESS),), "leaves-frames-alone", "the frame is written to: ", 0
    ),
    "a frame written to by force": Bug(
        ((PROCESS, "        import ctypes\n        ctypes.memset(frame.pixels.ctypes.data, 0, 30)\n" + PROCESS),),
        "leaves-frames-alone", "the frame is written to: its pixels are others than before", 0,
    ),
    "another golden output": Bug(
        (("int(columns.max()) + 1 - x", "2"),),
        "gives-what-is-expected", "another output than expected: detections 'bright'.box", 0,
    ),
    "another label": Bug(
        (('"bright"', '"dark"'),), "gives-what-is-expected", "expected 'bright' at [0.0, 0.333, 0.14", 0
    ),
    "another summary": Bug(
        (("return {", 'return {"more": 1, '),), "gives-what-is-expected", "summary has more, things, expected things"
    ),
    "an output of another type": Bug(
        (("return Detections((Det", "return ((Det"),),
        "gives-typed-outputs", "an output of another type: process_frame gave tuple", 0,
    ),
    "a number of numpy's": Bug(
        (("0.87", "np.float32(0.87)"),), "gives-typed-outputs", "a number of numpy's: confidence is a float32", 0
    ),
    "non-determinism": Bug(
        (("0.87", "float(np.random.default_rng().random())"),),
        "repeats-itself", "not the same twice: the same frames give another output each time", 0,
    ),
    "state of the class": Bug(
        (("    def prepare", "    seen = []\n\n    def prepare"), (PROCESS, "        self.seen.append(1)\n" + PROCESS),
         ("0.87", "1 / len(self.seen)")),
        "repeats-itself", "state outside the instance: a second instance gives another output", 0, STATEFUL,
    ),
    "a state that a replay does not bring back": Bug(
        (("    def prepare", "    seen = []\n\n    def prepare"), (PROCESS, "        self.seen.append(1)\n" + PROCESS),
         ("0.87", "1 / len(self.seen)")),
        "survives-a-replay", "not the same after a replay: 6 frames were seen again", 6, STATEFUL,
    ),
    "a finalize that reads instance memory": Bug(
        ((PREPARE, PREPARE + "        self.seen = 0\n"), (PROCESS, "        self.seen += 1\n" + PROCESS),
         ("sum(len(row.output.detections) for row in outputs)", "self.seen")),
        "sums-up-from-outputs", "finalize reads instance memory: a fresh instance sums the same outputs up otherwise",
    ),
    "a finalize that cannot sum up nothing": Bug(
        (("sum(len(row.output.detections) for row in outputs)", "max(row.frame_index for row in outputs)"),),
        "sums-up-from-outputs", "finalize failed over no outputs at all: ValueError: max()",
    ),
    "a prepare that does nothing": Bug(
        ((PREPARE, "        pass\n"),),
        "gives-typed-outputs", "process_frame reads what prepare did not set (AttributeError: 'Bright' object has no", 0,
    ),
    "a prepare that comes too late": Bug(
        ((PREPARE, PREPARE + "        self.net = None\n"),
         (PROCESS, "        import time\n        if not self.net:\n            self.net = time.sleep(0.4) or 1\n" + PROCESS)),
        "loads-in-prepare", "prepare comes too late: the first frame took 4", 0,
    ),
    "a network bound on a frame": Bug(
        ((PREPARE, PREPARE + "        self.attach = context.attach\n"),
         (PROCESS, "        self.attach('net.onnx', sample=np.zeros((1, 3, 8, 8), np.float32))\n" + PROCESS)),
        "gives-typed-outputs", "prepare comes too late: a network is bound on a frame", 0,
    ),
    "a prepare that fails": Bug(
        ((PREPARE, "        raise ValueError('no weights')\n"),), "prepares", "prepare failed: ValueError: no weights"
    ),
    "a frame that raises": Bug(
        ((PROCESS, "        if frame.index == 5:\n            raise IndexError('off by one')\n" + PROCESS),),
        "gives-typed-outputs", "process_frame failed: IndexError: off by one", 5,
    ),
    "a frame too small": Bug(
        ((PROCESS, "        frame.pixels[20, 20]\n" + PROCESS),),
        "takes-any-frame", "process_frame failed: IndexError: index 20 is out of bounds", 0,
    ),
    "strides that are passed over": Bug(
        ((PROCESS, "        raw = frame.pixels if frame.pixels.flags.c_contiguous else frame.pixels * 0\n" + PROCESS),
         ("np.nonzero(frame.pixels[", "np.nonzero(raw[")),
        "takes-any-frame", "rows that are strided give another output", 0,
    ),
    "a budget that is not kept": Bug(
        ((PROCESS, "        import time\n        time.sleep(0.004)\n" + PROCESS), ),
        "stays-in-budget", "over its budget: p50 ", None, "",
    ),
}  # fmt: skip


def test_a_plugin_as_it_should_be_passes_every_check(make_bright: MakeBright) -> None:
    assert failures(make_bright(), *CHECKS) == {}


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_fails_its_check_with_its_name_its_frame_and_a_cure(bug: str, make_bright: MakeBright) -> None:
    changes, check, name, frame, toml = BUGS[bug]
    folder = make_bright(*changes, toml=toml)
    if bug == "a budget that is not kept":
        path = folder / "plugin.toml"
        path.write_text(path.read_text().replace("= 1000", "= 1"))
    failed = failures(folder, check)
    assert list(failed) == [check]
    assert name in failed[check].facts["bug"]
    assert failed[check].facts["frame"] == frame
    text = str(failed[check])
    assert text.startswith(f"{check}: ")
    assert "  cure: " in text or check == "prepares"


def test_a_leak_into_memory_that_was_free_before_is_named_with_its_objects(make_bright: MakeBright) -> None:
    keep = "        self.seen.append([frame.pixels.repeat(3), float(frame.index)])\n"
    folder = make_bright(SEEN, (PROCESS, keep + PROCESS))
    pieces = [bytearray(27_000) for _ in range(12_000)]  # 324 MB in pieces that come from the heap
    for piece in pieces:
        piece[::4096] = b"x" * len(piece[::4096])
    last, pieces = pieces[-1], []  # what is kept at the end of the heap keeps the rest from being given back
    failed = failures(folder, "leaks-nothing")
    bug = str(failed["leaks-nothing"].facts["bug"])
    del last
    ctypes.CDLL(None).malloc_trim(0)
    told = re.fullmatch(
        r"a leak: memory grew by ([\d.]+) MB over 700 frames \(.* kB a frame\); ([\d.]+) objects a frame .*", bug
    )
    assert told, bug
    assert 15 < float(told[1]) < 40  # 27.6 kB a frame
    assert 2.9 < float(told[2]) < 5


def test_every_check_has_its_planted_bug_and_its_function() -> None:
    assert {bug.check for bug in BUGS.values()} == set(CHECKS)
    assert len(BUGS) >= 10
    assert [name.replace("-", "_") for name in CHECKS] == [check.__name__ for check in CHECK_OF.values()]
    assert set(LONG_CHECKS) <= set(CHECKS)


def test_a_difference_leaves_the_frame_as_a_picture_with_both_drawn(make_bright: MakeBright) -> None:
    folder = make_bright(("int(columns.max()) + 1 - x", "30"))
    failed = failures(folder, "gives-what-is-expected")["gives-what-is-expected"]
    picture = Path(str(failed.facts["picture"]))
    assert picture == folder.parent / "failures" / "bright-gives-what-is-expected-frame-0.png"
    pixels = pixels_of(picture)
    assert pixels.shape[1] == 512  # eight times the 64 pixels of the clip, so that a person sees something
    for colour in (EXPECTED, CAME):
        drawn = (pixels[:384] == colour).all(axis=2)
        told = (pixels[384:] == colour).all(axis=2)
        assert drawn.sum() > 200
        assert told.any()
    assert str(picture) in str(failed)
    assert '"box":[0.0,0.333333' in str(failed.facts["expected"])
    assert '"box":[0.0,0.333333' in str(failed.facts["came"])


def test_a_check_that_says_nothing_says_why(make_bright: MakeBright) -> None:
    folder = make_bright()
    (folder / "expected.json").write_text("{")
    with Harness(folder) as harness:
        for check, reason in (
            ("gives-what-is-expected", "it has no expected.json that can be read"),
            ("survives-a-replay", "it is stateless"),
        ):
            with pytest.raises(NotApplicable, match=reason):
                harness.check(check)


def test_a_stateful_plugin_is_held_to_its_replay_and_not_to_having_no_state(make_bright: MakeBright) -> None:
    changes = BUGS["state in a stateless plugin"].changes
    folder = make_bright(*changes, toml=STATEFUL)
    golden = json.loads((folder / "expected.json").read_text())
    (folder / "expected.json").write_text(json.dumps(golden | {"tolerance": {"box": 0.01, "confidence": 1.0}}))
    assert failures(folder, *(name for name in CHECKS if name not in LONG_CHECKS)) == {}


def test_a_picture_as_sample_is_tried_in_six_forms(make_bright: MakeBright) -> None:
    import cv2

    from tests.conftest import moving_square

    folder = make_bright(golden={"sample": "sample.png", "frames": []})
    (folder / "sample.mp4").unlink()
    assert cv2.imwrite(str(folder / "sample.png"), moving_square(3, 64, 48))
    with Harness(folder) as harness:
        assert [frame.index for frame in harness.frames] == [0, 1, 2, 3, 4, 5]
        assert harness.check("keeps-no-state") == "6 frames, shuffled"
        assert len(list(harness.every_frame())) == 1
