"""The plugin test harness: runs a plugin by the engine's own stages code, and holds it to what the engine relies on."""

from typing import Final

CHECKS: Final = (
    "prepares",
    "gives-typed-outputs",
    "leaves-frames-alone",
    "gives-what-is-expected",
    "repeats-itself",
    "keeps-no-state",
    "survives-a-replay",
    "sums-up-from-outputs",
    "takes-any-frame",
    "loads-in-prepare",
    "leaks-nothing",
    "stays-in-budget",
)  # by name, in the order they are made; this module stays light: pytest imports it in every suite
LONG_CHECKS: Final = ("leaks-nothing", "stays-in-budget")  # a thousand frames, and timings
