"""The tree of a pattern, and what follows from its form."""

from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True, slots=True)
class Atom:
    """One character, or a position between two.

    Attributes:
        source: the same for Python's `re`, compiled with DOTALL.
        width: 1 for a character, 0 for a position.
    """

    source: str
    width: int


@dataclass(frozen=True, slots=True)
class Capture:
    """A group with a number, from 1."""

    number: int
    body: "Node"


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Parts in a row; none is the empty text."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Alternation:
    """The first of these that leads to a match."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repetition:
    """A body several times; `most` is None without a limit."""

    body: "Node"
    least: int
    most: int | None
    greedy: bool


Node = Atom | Capture | Concatenation | Alternation | Repetition


def python_source(node: Node) -> str:
    """The same pattern for Python's `re`, compiled with DOTALL."""
    match node:
        case Atom():
            return node.source
        case Capture():
            return f"({python_source(node.body)})"
        case Concatenation():
            return "".join(map(python_source, node.parts))
        case Alternation():
            return f"(?:{'|'.join(map(python_source, node.parts))})"
        case Repetition():
            most = "" if node.most is None else node.most
            return f"(?:{python_source(node.body)}){{{node.least},{most}}}{'' if node.greedy else '?'}"
        case _:
            assert_never(node)


def nullable(node: Node) -> bool:
    """Whether it can match the empty text."""
    match node:
        case Atom():
            return node.width == 0
        case Capture():
            return nullable(node.body)
        case Concatenation():
            return all(map(nullable, node.parts))
        case Alternation():
            return any(map(nullable, node.parts))
        case Repetition():
            return node.least == 0 or nullable(node.body)
        case _:
            assert_never(node)


def size(node: Node) -> int:
    """How many steps a program for it has, at most: counted repetitions repeat the steps of their body."""
    match node:
        case Atom():
            return 1
        case Capture():
            return 2 + size(node.body)
        case Concatenation():
            return sum(map(size, node.parts))
        case Alternation():
            return len(node.parts) + sum(map(size, node.parts))
        case Repetition():
            return max(node.least, node.most or 0, 1) * (size(node.body) + 2)
        case _:
            assert_never(node)


def counted(node: Node) -> int:
    """The product of nested counts: 6 for `(a{2}){3}`."""
    match node:
        case Atom():
            return 1
        case Capture():
            return counted(node.body)
        case Concatenation() | Alternation():
            return max(map(counted, node.parts), default=1)
        case Repetition():
            return max(node.most if node.most is not None else node.least, 1) * counted(node.body)
        case _:
            assert_never(node)


def is_plain(node: Node) -> bool:
    """Whether it is a row of atoms: it matches in one way only, and captures nothing."""
    return isinstance(node, Atom) or (isinstance(node, Concatenation) and all(map(is_plain, node.parts)))


@dataclass(frozen=True, slots=True)
class Ways:
    """A limit of the ways in which a pattern can match at one place: `factor * comb(n + loops, loops)`.

    n is the length of the text. Loops divide it among each other in as many ways as the binomial coefficient says.
    """

    factor: int
    loops: int


def ways(node: Node) -> Ways | None:
    """In how many ways a backtracking matcher may try it; None if they can grow exponentially, or are not counted.

    None is also for repetitions in which Python's `re` and Go's `regexp` can capture different texts: with groups, or
    with a body that can be empty.
    """
    match node:
        case Atom():
            return Ways(1, 0)
        case Capture():
            return ways(node.body)
        case Concatenation():
            factor, loops = 1, 0
            for part in node.parts:
                if (own := ways(part)) is None:
                    return None
                factor, loops = factor * own.factor, loops + own.loops
            return Ways(factor, loops)
        case Alternation():
            every = [own for part in node.parts if (own := ways(part))]
            if len(every) < len(node.parts):
                return None
            return Ways(sum(own.factor for own in every), max(own.loops for own in every))
        case Repetition():
            return _ways_to_repeat(node)
        case _:
            assert_never(node)


def _ways_to_repeat(node: Repetition) -> Ways | None:
    if (node.least, node.most) == (0, 1):
        own = ways(node.body)
        return own and Ways(own.factor + 1, own.loops)
    if not is_plain(node.body) or nullable(node.body):
        return None
    return Ways(1, 0) if node.least == node.most else Ways(1, 1)
