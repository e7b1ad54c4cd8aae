"""Several servers behind one address, and servers that refuse at random."""

import itertools
import random
from collections.abc import Sequence

from tests.support.scripted import Hello, Reply, Script, alert


class ByTurns:
    """Machines that answer one connection each, one after the other."""

    def __init__(self, machines: Sequence[Script], start: int = 0) -> None:
        self._next = itertools.cycle(machines)
        for _ in range(start % len(machines)):
            next(self._next)

    def __call__(self, hello: Hello) -> Reply:
        return next(self._next)(hello)


class AtRandom:
    """Machines of which a random one answers each connection."""

    def __init__(self, machines: Sequence[Script], seed: int) -> None:
        self._machines, self._random = machines, random.Random(seed)  # noqa: S311 - a simulation

    def __call__(self, hello: Hello) -> Reply:
        return self._random.choice(self._machines)(hello)


class Noisy:
    """A server that answers one hello in ten with handshake_failure, whatever the hello contains."""

    def __init__(self, server: Script, seed: int) -> None:
        self._server, self._random = server, random.Random(seed)  # noqa: S311 - a simulation

    def __call__(self, hello: Hello) -> Reply:
        return alert(40) if self._random.random() < 0.1 else self._server(hello)
