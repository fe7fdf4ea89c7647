"""A promise: the baselines it is held against, and the rules that hold whatever is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.promises.change import Change, Kind, Part, Weigh, as_is, compare, parts_of, unified
from tests.promises.subject import Subject


@dataclass(frozen=True, slots=True)
class Baseline:
    """A kept file: what the program shows now, the parts others rely on, and what a change of one of them means."""

    file: str  # relative to the checkout
    show: Callable[[Subject], str]
    parts: Callable[[str], Mapping[str, str]] = parts_of
    weigh: Weigh = as_is
    say: Callable[[Part], str] = lambda part: part.sentence
    needs: str | None = None  # what a machine may lack: browser or postgres

    @property
    def name(self) -> str:
        """Name of this piece."""
        return self.file.rpartition("/")[2]

    def changes(self, check: str, subject: Subject) -> Iterator[Change]:
        """Compare what is kept with what the program shows now."""
        kept, now = subject.root / self.file, subject.once(self.show)
        if not kept.is_file():
            yield Change(check, Kind.MISSING, f"{self.file} is missing: nothing is kept to compare with.")
            return
        before = kept.read_text(encoding="utf-8")
        if before == now:
            return
        parts = list(compare(self.parts(before), self.parts(now)))
        yield from (Change(check, self.weigh(part), self.say(part), part.diff) for part in parts)
        if not parts:
            sentence = f"{self.file} reads differently, though nothing that others rely on changed."
            yield Change(check, Kind.ADDITIVE, sentence, unified(self.file, before, now))


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that holds whatever is kept: `look` says in a sentence each where it does not."""

    name: str
    look: Callable[[Subject], Iterable[str]]
    needs: str | None = None

    def changes(self, check: str, subject: Subject) -> Iterator[Change]:
        """Tell each breach; none can be accepted."""
        yield from (Change(check, Kind.BREAKING, sentence, can_accept=False) for sentence in self.look(subject))


@dataclass(frozen=True, slots=True)
class Promise:
    """Something public that others rely on."""

    name: str
    about: str
    baselines: tuple[Baseline, ...] = ()
    rules: tuple[Rule, ...] = field(default=())

    @property
    def pieces(self) -> tuple[Baseline | Rule, ...]:
        """All that is looked at, one by one."""
        return *self.baselines, *self.rules
