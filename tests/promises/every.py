"""Every promise there is, by its name."""

from typing import Final

from tests.promises.census import TESTS
from tests.promises.command_line import COMMANDS, SETTINGS
from tests.promises.controls import CONTROLS
from tests.promises.migrations import DATABASE
from tests.promises.openapi import OPENAPI
from tests.promises.promise import Promise
from tests.promises.requirements import REQUIREMENTS
from tests.promises.sdk import PLUGINS
from tests.promises.stories import STORY_INDEX

PROMISES: Final[dict[str, Promise]] = {
    promise.name: promise
    for promise in (OPENAPI, DATABASE, CONTROLS, PLUGINS, SETTINGS, COMMANDS, TESTS, STORY_INDEX, REQUIREMENTS)
}
