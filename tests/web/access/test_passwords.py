"""Passwords: which are right, how often they are hashed, and how many may wait."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from random import SystemRandom

import bcrypt
import pytest

from exporter.threads import Pool
from exporter.web.access.passwords import KEPT, WAITING, WAITING_PER_NETWORK, Passwords, TooManyPasswordsError, _fake

RIGHT = b"correct horse"


def hashed(password: bytes, cost: int = 4) -> bytes:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost))


USERS: Mapping[bytes, bytes] = {b"alice": hashed(RIGHT), b"bob": hashed(b"bob's", 5), b"\xc3\xa9": hashed(b"\xc3\xbc")}


class Counted:
    """bcrypt itself, counted; it waits while `gate` is closed."""

    def __init__(self) -> None:
        self.costs: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self._check = bcrypt.checkpw

    def __call__(self, password: bytes, hash_: bytes) -> bool:
        self.costs.append(int(hash_[4:6]))
        assert self.gate.wait(60)
        return self._check(password, hash_)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    counted = Counted()
    monkeypatch.setattr(bcrypt, "checkpw", counted)
    yield counted
    counted.gate.set()


def passwords() -> Passwords:
    return Passwords(b"secret", SystemRandom(), Pool("test", 1))


def ask(those: Passwords, user: bytes, password: bytes) -> bool:
    return asyncio.run(those.right(USERS, user, password, "127.0.0.1"))


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        (b"alice", RIGHT, True),
        (b"bob", b"bob's", True),
        ("é".encode(), "ü".encode(), True),
        (b"alice", b"", False),
        (b"alice", RIGHT + b" ", False),
        (b"alice", RIGHT + b"\0", False),
        (b"alice", RIGHT + b"\0more", False),
        (b"Alice", RIGHT, False),
        (b"alice ", RIGHT, False),
        (b"bob", RIGHT, False),
        (b"carol", RIGHT, False),
        (b"carol", b"fakepassword", False),
        (b"", b"", False),
        (b"\xff", b"\xff", False),
    ],
)
def test_only_the_right_password_of_the_user_is_right(user: bytes, password: bytes, right: bool) -> None:
    those = passwords()
    assert ask(those, user, password) is right
    assert ask(those, user, password) is right, "also when the answer was kept"


def test_a_password_that_is_longer_than_bcrypt_reads_is_wrong(counted: Counted) -> None:
    start = b"x" * 72
    users = {b"alice": hashed(start)}
    those = passwords()
    assert asyncio.run(those.right(users, b"alice", start, ""))
    assert not asyncio.run(those.right(users, b"alice", start + b"y", ""))
    assert len(counted.costs) == 1


@pytest.mark.parametrize("user", [b"alice", b"carol"])
def test_each_user_costs_one_hash_and_the_answer_is_kept(counted: Counted, user: bytes) -> None:
    those = passwords()
    for _ in range(3):
        ask(those, user, b"wrong")
    assert len(counted.costs) == 1


def test_an_unknown_user_costs_as_much_as_the_most_expensive_one(counted: Counted) -> None:
    ask(passwords(), b"carol", RIGHT)
    ask(passwords(), b"bob", RIGHT)
    assert counted.costs == [5, 5]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"a", b"bc"), (b"ab", b"c")),
        ((b"a:b", b"c"), (b"a", b"b:c")),
        ((b"carol", _fake(USERS) + b"x"), (b"carol" + _fake(USERS), b"x")),
    ],
)
def test_the_answer_for_one_is_not_the_answer_for_another(
    counted: Counted, one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> None:
    """CVE-2022-46146: keys of the same text for different users."""
    those = passwords()
    ask(those, *one)
    ask(those, *other)
    assert len(counted.costs) == 2


def test_a_wrong_answer_about_an_unknown_user_ends_when_the_user_is_added() -> None:
    those = passwords()
    assert not ask(those, b"carol", RIGHT)
    users = {**USERS, b"carol": hashed(RIGHT)}
    assert asyncio.run(those.right(users, b"carol", RIGHT, ""))


def test_a_right_answer_ends_with_the_user_and_with_the_hash() -> None:
    those = passwords()
    assert ask(those, b"alice", RIGHT)
    without = {b"bob": USERS[b"bob"]}
    assert not asyncio.run(those.right(without, b"alice", RIGHT, ""))
    changed = {b"alice": hashed(b"another")}
    assert not asyncio.run(those.right(changed, b"alice", RIGHT, ""))


def test_an_unknown_user_is_refused_even_if_the_fake_hash_were_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bcrypt, "checkpw", lambda _password, _hash: True)
    those = passwords()
    assert not ask(those, b"carol", RIGHT)
    assert not ask(those, b"carol", RIGHT)


def test_many_wrong_passwords_displace_no_right_one(counted: Counted) -> None:
    those = passwords()
    ask(those, b"alice", RIGHT)

    async def many() -> None:
        for number in range(3 * KEPT):
            await those.right(USERS, b"alice", b"%d" % number, "")

    asyncio.run(many())
    before = len(counted.costs)
    assert ask(those, b"alice", RIGHT)
    assert len(counted.costs) == before == 3 * KEPT + 1
    assert sum(len(keys) for keys in those._kept.values()) <= 2 * KEPT  # noqa: SLF001 - that memory is bounded


def test_those_who_ask_the_same_at_once_share_one_hash(counted: Counted) -> None:
    async def run() -> list[bool]:
        those = passwords()
        return await asyncio.gather(*(those.right(USERS, b"alice", RIGHT, "one") for _ in range(100)))

    assert asyncio.run(run()) == [True] * 100
    assert len(counted.costs) == 1


def test_one_network_has_few_passwords_waiting_and_another_one_gets_its_turn(counted: Counted) -> None:
    async def run() -> tuple[list[bool | BaseException], bool]:
        those = passwords()
        counted.gate.clear()
        flood = [asyncio.create_task(those.right(USERS, b"alice", b"%d" % number, "flood")) for number in range(1000)]
        await asyncio.sleep(0)
        scraper = asyncio.create_task(those.right(USERS, b"alice", RIGHT, "scraper"))
        await asyncio.sleep(0)
        counted.gate.set()
        right = await scraper
        return await asyncio.gather(*flood, return_exceptions=True), right

    answers, right = asyncio.run(run())
    assert right
    assert answers.count(False) == WAITING_PER_NETWORK
    assert sum(isinstance(one, TooManyPasswordsError) for one in answers) == 1000 - WAITING_PER_NETWORK
    assert len(counted.costs) == WAITING_PER_NETWORK + 1


def test_all_networks_together_have_a_limit_that_ends_with_the_flood(counted: Counted) -> None:
    async def run() -> tuple[list[bool | BaseException], bool]:
        those = passwords()
        counted.gate.clear()
        tries = [those.right(USERS, b"alice", b"%d" % number, f"network {number}") for number in range(1000)]
        flood = [asyncio.create_task(one) for one in tries]
        await asyncio.sleep(0)
        counted.gate.set()
        answers = await asyncio.gather(*flood, return_exceptions=True)
        return answers, await those.right(USERS, b"alice", RIGHT, "scraper")

    answers, right = asyncio.run(run())
    assert answers.count(False) == WAITING
    assert right


def test_a_client_that_leaves_does_not_end_the_answer_for_others(counted: Counted) -> None:
    async def run() -> bool:
        those = passwords()
        counted.gate.clear()
        leaves, stays = (asyncio.create_task(those.right(USERS, b"alice", RIGHT, "one")) for _ in range(2))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.wait({leaves})
        counted.gate.set()
        return await stays

    assert asyncio.run(run())
