"""Whether a password is right: by bcrypt, in a thread, with limits for those who try many.

The answer for an unknown user takes as long as for a known one. Answers are kept, because each costs a tenth of a
second of CPU time. The key of an answer has the user, the hash and the password, each with its length. Without lengths,
an attacker could ask for a wrong answer that is then given to somebody else (CVE-2022-46146). The key is a digest that
depends on a secret, so no password stays in memory, and the time of a look-up says nothing about it.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import partial
from random import Random

import bcrypt

from exporter.threads import PASSWORDS, Pool

KEPT = 100
"""Answers of each kind that are kept, as many as in the toolkit."""
MOST_BYTES = 72
"""bcrypt uses no more. A longer password is wrong: it would be right for everybody who knows its start."""
WAITING_PER_NETWORK, WAITING = 4, 32
"""Questions that wait for an answer at the same time, of one client network and of all. At cost 10, the last of 32
waits three seconds, which is within the 10 s that Prometheus waits by default."""

_FAKE_TAIL = b"QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
"""Salt and digest of the toolkit's hash for unknown users. No password is right for them: the user has to exist too."""


class TooManyPasswordsError(Exception):
    """Too many passwords wait to be checked."""


class Passwords:
    """Checks passwords. Right and wrong answers are kept apart, so many wrong ones displace no right one."""

    def __init__(self, secret: bytes, rng: Random, pool: Pool = PASSWORDS) -> None:
        """Create it.

        Args:
            secret: random bytes, other ones in each process.
            rng: chooses which answers are dropped when there are too many.
            pool: where hashes are computed.
        """
        self._secret, self._rng, self._pool = secret, rng, pool
        self._kept: dict[bool, dict[bytes, None]] = {True: {}, False: {}}
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting: Counter[str] = Counter()

    async def right(self, users: Mapping[bytes, bytes], user: bytes, password: bytes, network: str) -> bool:
        """Whether this user has this password; the network is that of the client.

        Raises:
            TooManyPasswordsError: too many other passwords wait.
        """
        if len(password) > MOST_BYTES:
            return False
        hashed = users.get(user, _fake(users))
        key = self._key(user, hashed, password)
        for answer, keys in self._kept.items():
            if key in keys:
                return answer and user in users
        matches = await self._match(key, partial(bcrypt.checkpw, password, hashed), network)
        answer = matches and user in users
        self._keep(key, answer)
        return answer

    async def _match(self, key: bytes, check: partial[bool], network: str) -> bool:
        """The answer of bcrypt, which those who ask the same at the same time share."""
        running = self._running.get(key)
        if running is None:
            if self._waiting[network] >= WAITING_PER_NETWORK or self._waiting.total() >= WAITING:
                raise TooManyPasswordsError
            running = self._running[key] = asyncio.ensure_future(self._pool.run(check, network))
            self._waiting[network] += 1
            running.add_done_callback(lambda _: self._done(key, network))
        return await asyncio.shield(running)  # one that leaves does not end it for the others

    def _done(self, key: bytes, network: str) -> None:
        del self._running[key]
        self._waiting[network] -= 1
        if not self._waiting[network]:
            del self._waiting[network]

    def _key(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()

    def _keep(self, key: bytes, answer: bool) -> None:
        keys = self._kept[answer]
        if len(keys) >= KEPT:
            for dropped in self._rng.sample(list(keys), KEPT // 10):
                del keys[dropped]
        keys[key] = None


def _fake(users: Mapping[bytes, bytes]) -> bytes:
    """A hash for unknown users that costs as much as the most expensive of the known ones."""
    cost = max(int(hashed[4:6]) for hashed in users.values())
    return b"$2b$%02d$" % cost + _FAKE_TAIL
