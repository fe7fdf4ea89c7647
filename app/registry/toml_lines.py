"""Finds the line of a TOML file on which a key stands, so that a finding can point at it."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?")


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    """Give the line (from 1) of the key at `place`, or of its table's header; None where it is written another way.

    A number within `place` counts the tables of an array (`[[models]]`), or stands for an item of a list.
    """
    keys = [part for part in place if part != "[key]"]
    wanted = ".".join(str(part) for part in keys[:2]) if len(keys) > 1 and keys[0] in ("options", "models") else ""
    own = keys[2] if wanted and len(keys) > 2 else "" if wanted else keys[0] if keys else ""
    table, header_at = "", None
    arrays: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[2].replace(" ", "").replace('"', "")
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                table = f"{table}.{arrays[table]}"
            header_at = number if table == wanted else header_at
        elif table == wanted and own != "" and re.match(rf'\s*"?{re.escape(str(own))}"?\s*=', line):
            return number
    return header_at
