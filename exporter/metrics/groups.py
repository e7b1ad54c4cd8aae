"""The lines of targets, compressed in groups of targets, one piece of text for each family of a group.

When lines of a target change, only the pieces of the families that changed are made again. Whether they changed is seen
by a hash of 64 bits of the lines of each target and family, so that most pieces need not be unpacked.
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from exporter.metrics.pieces import Piece, Total
from exporter.model import Family

Lines = Mapping[Family, str]
"""The text of one target's samples, by family."""

GROUP_SIZE = 64
"""Targets in a group. A scan of one target makes some four pieces again. With twice as many they cost twice as much;
with half as many, the table of pieces takes twice the memory."""


class _Block(NamedTuple):
    """The lines of one family in one group.

    Attributes:
        lengths: bytes of each target's lines.
        digests: a hash of them; Python's of the text, whose key is another in each process.
    """

    piece: Piece
    lengths: "array[int]"
    digests: "array[int]"

    def parts(self) -> list[bytes]:
        """The lines of each target."""
        text = self.piece.text()
        ends = list(accumulate(self.lengths))
        return [text[end - length : end] for end, length in zip(ends, self.lengths, strict=True)]


class LinesGroup:
    """Some targets, in the order in which they came.

    Attributes:
        names: of the targets.
        blocks: by family, of those families that any of the targets has lines of.
    """

    __slots__ = ("blocks", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.blocks: dict[Family, _Block] = {}

    def change(self, lines: Mapping[str, Lines]) -> set[Family]:
        """Replace the lines of these targets of the group; returns the families that changed."""
        new = [(self.names.index(name), of_target) for name, of_target in lines.items()]
        changed = {}
        for family in self.blocks.keys() | set(chain.from_iterable(lines.values())):
            before = self.blocks.get(family)
            digests = _zeros(len(self.names)) if before is None else before.digests
            texts = {place: of_target.get(family, "") for place, of_target in new}
            differ = {place: text for place, text in texts.items() if hash(text) != digests[place]}
            if differ:
                changed[family] = self._changed(family, differ)
        self._keep({**self.blocks, **changed}, self.names)
        return set(changed)

    def _changed(self, family: Family, texts: Mapping[int, str]) -> _Block | None:
        lines, digests = self.of(family)
        for place, text in texts.items():
            lines[place], digests[place] = text.encode(), hash(text)
        return _block(lines, digests)

    def add(self, lines: Mapping[str, Lines]) -> None:
        """Add these targets at the end."""
        blocks: dict[Family, _Block | None] = {}
        for family in dict.fromkeys(chain(self.blocks, chain.from_iterable(lines.values()))):
            texts = [of_target.get(family, "") for of_target in lines.values()]
            before, digests = self.of(family)
            digests.extend(map(hash, texts))
            blocks[family] = _block([*before, *(text.encode() for text in texts)], digests)
        self._keep(blocks, [*self.names, *lines])

    def remove(self, names: Collection[str]) -> None:
        """Remove these targets."""
        places = [place for place, name in enumerate(self.names) if name not in names]
        blocks: dict[Family, _Block | None] = {}
        for family in self.blocks:
            lines, digests = self.of(family)
            kept = array("q", (digests[place] for place in places))
            blocks[family] = _block([lines[place] for place in places], kept)
        self._keep(blocks, [self.names[place] for place in places])

    def extend(self, other: "LinesGroup") -> None:
        """Add the targets of the other group at the end."""
        blocks: dict[Family, _Block | None] = {}
        for family in dict.fromkeys(chain(self.blocks, other.blocks)):
            (lines, digests), (more, of_more) = self.of(family), other.of(family)
            blocks[family] = _block([*lines, *more], digests + of_more)
        self._keep(blocks, [*self.names, *other.names])

    def of(self, family: Family) -> tuple[list[bytes], "array[int]"]:
        """The lines of the family of each target, and their digests: both are copies."""
        block = self.blocks.get(family)
        if block is None:
            return [b""] * len(self.names), _zeros(len(self.names))
        return block.parts(), block.digests[:]

    def _keep(self, blocks: Mapping[Family, _Block | None], names: list[str]) -> None:
        """Use these at last: an error before, such as one for lack of memory, has changed nothing."""
        self.blocks = {family: block for family, block in blocks.items() if block is not None}
        self.names = names


def _block(lines: Sequence[bytes], digests: "array[int]") -> _Block | None:
    """The block of these lines; None if there are none."""
    text = b"".join(lines)
    return _Block(Piece(text), array("I", map(len, lines)), digests) if text else None


def _zeros(count: int) -> "array[int]":
    """The digests of targets without lines: 0 is the hash of the empty text."""
    return array("q", [hash("")]) * count


class Groups:
    """All targets in the order in which they came, in groups."""

    def __init__(self) -> None:
        self._groups: list[LinesGroup] = []
        self._group_of: dict[str, LinesGroup] = {}
        self._totals: dict[Family, Total] = {}

    def use(self, gone: Collection[str], lines: Mapping[str, Lines]) -> None:
        """Remove the targets that are gone. Then replace the lines of those that are known, and add the others."""
        self._remove(gone)
        changes: dict[int, dict[str, Lines]] = {}
        new: dict[str, Lines] = {}
        groups = {}
        for name, of_target in lines.items():
            group = self._group_of.get(name)
            if group is None:
                new[name] = of_target
            else:
                groups[id(group)] = group
                changes.setdefault(id(group), {})[name] = of_target
        for key, of_group in changes.items():
            for family in groups[key].change(of_group):
                self._totals.pop(family, None)
        self._add(new)

    def _remove(self, gone: Collection[str]) -> None:
        names: dict[int, set[str]] = {}
        groups = {}
        for name in gone:
            group = self._group_of.get(name)
            if group is not None:
                groups[id(group)] = group
                names.setdefault(id(group), set()).add(name)
        if groups:
            self._totals.clear()
        for key, of_group in names.items():
            groups[key].remove(of_group)
            for name in of_group:
                del self._group_of[name]
        if groups:
            self._tidy()

    def _tidy(self) -> None:
        """Put groups with few targets together with the one before."""
        groups: list[LinesGroup] = []
        for group in self._groups:
            if groups and len(groups[-1].names) + len(group.names) <= GROUP_SIZE // 2:
                groups[-1].extend(group)
                self._group_of.update(dict.fromkeys(group.names, groups[-1]))
            elif group.names:
                groups.append(group)
        self._groups = groups

    def _add(self, lines: Mapping[str, Lines]) -> None:
        names = list(lines)
        if names:
            self._totals.clear()
        start = 0
        while start < len(names):
            if not self._groups or len(self._groups[-1].names) >= GROUP_SIZE:
                self._groups.append(LinesGroup())
            group = self._groups[-1]
            some = names[start : start + GROUP_SIZE - len(group.names)]
            group.add({name: lines[name] for name in some})
            self._group_of.update(dict.fromkeys(some, group))
            start += len(some)

    def pieces(self, family: Family) -> list[Piece]:
        """The pieces of this family, in the order of the targets."""
        return [block.piece for group in self._groups if (block := group.blocks.get(family)) is not None]

    def total(self, family: Family, pieces: Iterable[Piece]) -> Total:
        """The total of these pieces, which are all of the family."""
        total = self._totals.get(family)
        if total is None:
            total = self._totals[family] = Total(pieces)
        return total
