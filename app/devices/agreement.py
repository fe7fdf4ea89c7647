"""Compares what a network gave on a target with what it gave on the CPU."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def find_difference(given: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]], tolerance: float) -> str | None:
    """Say where the outputs differ by more than `tolerance · (1 + |expected|)`, as evidence; None where they agree."""
    if given.keys() != expected.keys():
        return f"outputs {sorted(given)} instead of {sorted(expected)}"
    for name, wanted in expected.items():
        found = given[name]
        if found.shape != wanted.shape:
            return f"output {name!r} has shape {found.shape} instead of {wanted.shape}"
        reference = wanted.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinity minus infinity: agrees below, as equal
            excess = np.abs(found.astype(np.float64) - reference) - tolerance * (1 + np.abs(reference))
        wrong = ~((excess <= 0) | (found == wanted) | (np.isnan(found) & np.isnan(wanted)))
        if wrong.any():
            at = tuple(int(place[0]) for place in np.nonzero(wrong))
            return (
                f"output {name!r}: {int(wrong.sum())} of {wrong.size} numbers differ by more than {tolerance:g}; "
                f"the first, at {at}, is {float(found[at]):.4g} instead of {float(wanted[at]):.4g}"
            )
    return None
