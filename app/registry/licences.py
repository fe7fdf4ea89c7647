"""SPDX licence expressions: enough of them to tell a licence from a loose word."""

import re
from typing import Final

_COMMON: Final = frozenset(
    """
    0BSD AFL-3.0 AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 Beerware
    CC-BY-4.0 CC-BY-NC-4.0 CC-BY-NC-SA-4.0 CC-BY-SA-4.0 CC0-1.0 EPL-2.0 EUPL-1.2 GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0
    GPL-3.0-only GPL-3.0-or-later HPND ISC LGPL-2.1 LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later
    MIT MIT-0 MPL-2.0 MS-PL NCSA ODbL-1.0 OFL-1.1 OpenSSL PSF-2.0 PostgreSQL Unlicense Vim WTFPL X11 Zlib
    """.split()  # noqa: SIM905  # a list of sixty quoted words is harder to read
)
_FORM: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9.]+)+\+?")  # as those look that are not on the list
_JOINS: Final = ("AND", "OR", "WITH")


def find_flaw_in_licence(expression: str) -> str | None:
    """Say what keeps a text from being an SPDX licence expression, or None where it may be one."""
    words = re.findall(r"[()]|[^\s()]+", expression)
    names = [word for word in words if word not in ("(", ")")]
    licences, joins = names[::2], names[1::2]
    if len(names) % 2 == 0 or any(join not in _JOINS for join in joins):
        return "licences are joined by AND, OR or WITH, and have no spaces in their names"
    if words.count("(") != words.count(")"):
        return "a bracket is not closed"
    for name in licences:
        if name in _COMMON or _FORM.fullmatch(name):
            continue
        alike = next((known for known in sorted(_COMMON) if _plain(known) == _plain(name)), None)
        return f"{name!r} is no SPDX identifier" + (f"; {alike} may be meant" if alike else "")
    return None


def _plain(name: str) -> str:
    """A name as it looks when somebody writes it loosely: `apache2` for Apache-2.0."""
    return re.sub(r"[^a-z0-9]|\.0$", "", name.lower().removesuffix(".0"))
