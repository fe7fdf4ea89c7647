"""What can go wrong between a script and a server, each in one sentence; `ServerTrouble` is the root of all of it."""

from app.domain.errors import ServerTrouble


class ServerRefused(ServerTrouble):
    """A server refused what was asked of it; `detail` is its own sentence."""

    sentence = "{detail}"

    @property
    def status(self) -> int:
        """HTTP status of the refusal."""
        return int(str(self.facts["status"]))

    @property
    def type(self) -> str:
        """What kind of problem it is, such as `/problems/unknown-job`."""
        return str(self.facts["type"])


class ServerUnreachable(ServerTrouble):
    """No server answers where one is looked for."""

    sentence = "There is no answer from {url}: {reason}."


class UnreadableAnswer(ServerTrouble):
    """What a server sent cannot be read; it may be of another version."""

    sentence = "The server sent what cannot be read here: {reason}."
