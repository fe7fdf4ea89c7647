"""What a rule found wrong with a plugin: as data, with the way to mend it."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """What a finding means: the plugin cannot be used (error), or it can but something is wanting (warning)."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True):
    """One thing a rule found wrong.

    `rule` names the rule, `path` the file within the plugin's folder (with the line behind a colon where it is known),
    `message` says what is wrong without a full stop, `cure` what to do, as a sentence.
    """

    rule: str
    severity: Severity
    path: str
    message: str
    cure: str
