"""What targets reveal about each other: which accept SSL 2 with keys that others also have (DROWN).

An index that is updated with each report. It only uses facts that are already known.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.case import Neighbours
from exporter.derived.keys import keys_known, served_keys, ssl2_keys
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts, Protocol, Seen

_Names = dict[str, set[str]]
"""Key -> names of targets."""


@dataclass(frozen=True, slots=True)
class KeyWord:
    """What is known of one target, from all its reports.

    Attributes:
        keys: its keys.
        whole: whether these are all of its keys.
        accepts: keys with which it accepts SSL 2.
        may_accept: keys with which it may accept SSL 2.
        several: whether it has several addresses, each of which is a neighbour of the others.
    """

    keys: frozenset[str] = frozenset()
    whole: bool = False
    accepts: frozenset[str] = frozenset()
    may_accept: frozenset[str] = frozenset()
    several: bool = False

    @property
    def quiet(self) -> bool:
        """Whether it affects no other target."""
        return not self.accepts and not self.may_accept

    @property
    def own(self) -> tuple[frozenset[str], frozenset[str]] | None:
        """What affects the target itself."""
        return (self.accepts, self.may_accept) if self.several else None


_NOTHING = KeyWord()


def _word(reports: Sequence[Seen]) -> KeyWord:
    facts = [report.facts for report in reports]
    accepts, may_accept = frozenset[str](), frozenset[str]()
    for one in facts:
        accepted, possible = _exposed(one)
        accepts, may_accept = accepts | accepted, may_accept | possible
    return KeyWord(
        keys=frozenset[str]().union(*map(served_keys, facts)),
        whole=bool(facts) and all(map(keys_known, facts)),
        accepts=accepts,
        may_accept=may_accept - accepts,
        several=len(facts) > 1,
    )


def _exposed(facts: Facts) -> tuple[frozenset[str], frozenset[str]]:
    """Keys with which one address accepts SSL 2, and those with which it may.

    If there are several keys, one of them is used, and it is not known which. Without a cipher nothing can be
    decrypted.
    """
    handshake = facts.get(HandshakeFacts)
    accepted = handshake.protocols.get(Protocol.SSL2) if handshake else None
    if accepted is False:
        return frozenset(), frozenset()
    keys = ssl2_keys(facts)
    spoken = accepted and handshake is not None and handshake.cipher_suites.get(Protocol.SSL2)
    return (keys, frozenset()) if spoken and len(keys) == 1 else (frozenset(), keys)


class KeyIndex:
    """Which targets have which key, and where SSL 2 is or may be accepted with it.

    Updated with each target's latest reports. A report costs a few look-ups by key: a target that refuses SSL 2 is
    indexed by its own keys only.
    """

    def __init__(self) -> None:
        self._words: dict[str, KeyWord] = {}
        self._having: _Names = {}
        self._accepting: _Names = {}
        self._perhaps: _Names = {}
        self._exposing: set[str] = set()
        self._vague: set[str] = set()

    def update(self, name: str, reports: Sequence[Seen]) -> set[str]:
        """Replace what is known of a target, by address; returns the targets whose verdict may change.

        These must be judged again. They are the targets that have a key about which something else is known now. They
        are also the targets whose keys are not all known, when the first target exposes a key or the last one stops.
        The target itself is among them only when it has, or had, several addresses.
        """
        return self._replace(name, _word(reports))

    def remove(self, name: str) -> set[str]:
        """Forget a target; returns the other targets whose verdict may change, as `update`."""
        return self._replace(name, None) - {name}

    def word(self, name: str) -> KeyWord | None:
        """What is known of a target."""
        return self._words.get(name)

    def restore(self, name: str, word: KeyWord) -> set[str]:
        """Replace what is known of a target by what was known before; returns the same as `update`."""
        return self._replace(name, word)

    def neighbours(self, name: str) -> Neighbours:
        """What is known of the other targets now; for a target with several addresses, including itself."""
        own = self._words.get(name, _NOTHING)
        left_out = _NOTHING if own.several else own
        return Neighbours(
            _Others(self._accepting, name, left_out.accepts), _Others(self._perhaps, name, left_out.may_accept)
        )

    def _replace(self, name: str, word: KeyWord | None) -> set[str]:
        before = self._words.pop(name, _NOTHING)
        after = word or _NOTHING
        for names, old, new in (
            (self._having, before.keys, after.keys),
            (self._accepting, before.accepts, after.accepts),
            (self._perhaps, before.may_accept, after.may_accept),
        ):
            _move(names, name, old, new)
        self._exposing.discard(name)
        self._vague.discard(name)
        concerned = self._concerned(name, before, after)
        if word is not None:
            self._words[name] = word
            if not word.quiet:
                self._exposing.add(name)
            if not word.whole:
                self._vague.add(name)
        return concerned

    def _concerned(self, name: str, before: KeyWord, after: KeyWord) -> set[str]:
        """The targets whose verdict may change. All indexes by key are already updated."""
        changed = before.accepts ^ after.accepts
        # Two other targets with a key are enough for everybody, and one more that may accept SSL 2 changes nothing.
        # Otherwise, where thousands share a certificate and nothing is known of SSL 2, each report would judge all of
        # them again.
        changed |= {key for key in before.may_accept ^ after.may_accept if self._few(self._perhaps.get(key, ()), name)}
        concerned = set[str]().union(*(self._having.get(key, ()) for key in changed)) - {name}
        if before.quiet != after.quiet and self._few(self._exposing, name):
            concerned |= self._vague
        return concerned | ({name} if before.own != after.own else set())

    @staticmethod
    def _few(names: Collection[str], name: str) -> bool:
        return len(names) - (name in names) < 2


def _move(names: _Names, name: str, old: frozenset[str], new: frozenset[str]) -> None:
    """Move a target from its old keys to its new ones."""
    for key in old - new:
        names[key].discard(name)
        if not names[key]:
            del names[key]
    for key in new - old:
        names.setdefault(key, set()).add(name)


class _Others(Mapping[str, tuple[str, ...]]):
    """Key -> the targets that have it, unordered, without one target where it has these keys itself.

    A view, not a copy: there can be thousands of keys, and a verdict looks up only those of its target.
    """

    def __init__(self, names: _Names, name: str, keys: frozenset[str]) -> None:
        self._names, self._name, self._keys = names, name, keys
        self._alone = {key for key in keys if len(names[key]) == 1}

    def __getitem__(self, key: str) -> tuple[str, ...]:
        if key in self._alone:
            raise KeyError(key)
        own = self._name if key in self._keys else None
        return tuple(name for name in self._names[key] if name != own)

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._names if key not in self._alone)

    def __len__(self) -> int:
        return len(self._names) - len(self._alone)
