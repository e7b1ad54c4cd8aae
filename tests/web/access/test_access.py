"""The web configuration follows its files: what is used, what is refused, what is said."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest

from exporter.files import View
from exporter.web import Access, AccessWatch, Passwords, first_read, make_access
from exporter.web.access.access import Bucket
from exporter.web.access.file import Rate
from tests.web.access.served import MUTUAL, TLS, USERS, Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def follow(path: Path, *steps: Callable[[], object]) -> tuple[Access, list[bool]]:
    """Access after these steps, with a look after each; and whether each look could use the files."""
    usable: list[bool] = []
    access = make_access(first_read(path), Passwords(b"secret", SystemRandom()), AccessWatch(usable.append))
    access.look_every_seconds = 0.0

    async def run() -> None:
        await access.renew()
        for step in steps:
            step()
            await access.renew()

    asyncio.run(run())
    return access, usable


def nothing() -> None:
    """Change nothing."""


def test_a_file_that_does_not_change_stays_in_use(files: Files) -> None:
    path = files.write({"tls_server_config": TLS})
    before = first_read(path)
    access, usable = follow(path, nothing, nothing)
    assert usable == [True] * 4
    assert access.config.tls is not None
    assert before.config.tls is not None


def test_users_and_fields_change_with_the_file(files: Files) -> None:
    path = files.write({"basic_auth_users": {"bob": USERS["alice"]}})
    headers = {"http_server_config": {"headers": {"X-Frame-Options": "deny"}}, "basic_auth_users": USERS}
    access, _ = follow(path, lambda: files.write(headers))
    assert set(access.config.users) == {b"alice"}
    assert access.config.headers == ((b"x-frame-options", b"deny"),)
    assert access.authenticates


def test_a_broken_file_leaves_the_last_good_one_in_use_and_is_logged_once(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    path = files.write({"basic_auth_users": USERS})
    with caplog.at_level(logging.INFO):
        access, usable = follow(path, lambda: files.write({"basic_auth_users": {"alice": "secret"}}), nothing, nothing)
    assert set(access.config.users) == {b"alice"}
    assert usable == [True, True, False, False, False]
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith("the web configuration cannot be used, the one before stays: ")
    assert "not a bcrypt hash" in line
    assert '"secret"' not in line


@pytest.mark.parametrize("name", ["web.yml", "server.pem", "server.key", "ca.pem"])
def test_a_file_that_is_gone_leaves_everything_as_it_was(files: Files, name: str) -> None:
    path = files.write({"tls_server_config": MUTUAL})
    saved = (files.folder / name).read_bytes()
    access, usable = follow(path, (files.folder / name).unlink, lambda: (files.folder / name).write_bytes(saved))
    assert usable == [True, True, False, True]
    assert access.authenticates


def test_certificate_and_key_may_change_one_after_the_other(files: Files) -> None:
    path = files.write({"tls_server_config": TLS})
    old = (files.folder / "server.key").read_bytes()
    new: list[bytes] = []

    def only_the_certificate() -> None:
        files.renew()
        new.append((files.folder / "server.key").read_bytes())
        (files.folder / "server.key").write_bytes(old)

    _, usable = follow(path, only_the_certificate, lambda: (files.folder / "server.key").write_bytes(new[0]))
    assert usable == [True, True, False, True]


def test_authentication_ends_only_when_two_looks_see_it(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is written in two steps is empty in between."""
    path = files.write({"basic_auth_users": USERS})
    access, usable = follow(path, lambda: path.write_text(""), lambda: files.write({"basic_auth_users": USERS}))
    assert access.authenticates
    assert usable == [True, True, False, True]
    access, _ = follow(
        path, lambda: path.write_text(""), lambda: files.write({"basic_auth_users": USERS}), lambda: path.write_text("")
    )
    assert access.authenticates, "each time"
    assert "is gone" not in caplog.text
    files.write({"basic_auth_users": USERS})
    access, usable = follow(path, lambda: path.write_text(""), nothing)
    assert not access.authenticates
    assert usable == [True, True, False, True]
    assert "requests need less authentication than before: basic_auth_users is gone" in caplog.text


def test_a_broken_file_between_does_not_count_as_the_second_look(files: Files) -> None:
    path = files.write({"basic_auth_users": USERS})
    empty, broken = (lambda: path.write_text("")), (lambda: path.write_text("basic_auth_users: ["))
    access, _ = follow(path, empty, broken, empty)
    assert access.authenticates


def test_client_certificates_end_only_when_two_looks_see_it(files: Files) -> None:
    path = files.write({"tls_server_config": MUTUAL, "basic_auth_users": USERS})
    weaker = {"tls_server_config": TLS, "basic_auth_users": USERS}
    access, _ = follow(path, lambda: files.write(weaker))
    assert access.config.means == {"basic_auth_users", "client_auth_type"}
    files.write({"tls_server_config": MUTUAL, "basic_auth_users": USERS})
    access, _ = follow(path, lambda: files.write(weaker), nothing)
    assert access.config.means == {"basic_auth_users"}


def test_the_names_of_clients_are_given_up_only_when_two_looks_see_it(files: Files) -> None:
    named = {"tls_server_config": {**MUTUAL, "client_allowed_sans": ["one.example"]}}
    path = files.write(named)
    access, _ = follow(path, lambda: files.write({"tls_server_config": MUTUAL}))
    assert access.config.tls is not None
    assert access.config.tls.allowed_sans == frozenset({"one.example"})
    files.write(named)
    access, _ = follow(path, lambda: files.write({"tls_server_config": MUTUAL}), nothing)
    assert access.config.tls is not None
    assert access.config.tls.allowed_sans is None


@pytest.mark.parametrize(("before", "after"), [({}, {"tls_server_config": TLS}), ({"tls_server_config": TLS}, {})])
def test_tls_begins_and_ends_by_a_restart_only(
    files: Files, before: dict[str, object], after: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    path = files.write({"basic_auth_users": USERS, **before})
    access, usable = follow(path, lambda: files.write(after), nothing)
    assert (access.config.tls is not None) == bool(before)
    assert access.authenticates
    assert usable == [True, True, False, False]
    assert "tls_server_config: TLS is switched on or off by a restart only" in caplog.text


def test_files_are_looked_at_once_a_second_at_most(files: Files) -> None:
    path = files.write({"basic_auth_users": USERS})
    usable: list[bool] = []
    access = make_access(first_read(path), Passwords(b"secret", SystemRandom()), AccessWatch(usable.append))
    access.look_every_seconds = 3600.0

    async def run() -> None:
        await asyncio.gather(*(access.renew() for _ in range(100)))
        await access.renew()

    asyncio.run(run())
    assert usable == [True, True]


def test_storage_that_does_not_answer_keeps_no_request_waiting_for_long(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write({"basic_auth_users": USERS})
    usable: list[bool] = []
    access = make_access(first_read(path), Passwords(b"secret", SystemRandom()), AccessWatch(usable.append))
    answers, read = threading.Event(), View.read_again

    def hangs(view: View, path: str) -> Any:  # noqa: ANN401 - a class of its own module
        view.reading = path
        assert answers.wait(60)
        return read(view, path)

    async def run() -> None:
        monkeypatch.setattr(View, "read_again", hangs)
        await asyncio.gather(*(access.renew() for _ in range(100)))
        assert not answers.is_set()
        assert access.authenticates
        answers.set()
        while len(usable) < 2:
            await access.renew()

    asyncio.run(run())
    assert usable == [True, True]


def test_a_bucket_has_a_burst_and_then_one_for_each_interval() -> None:
    bucket = Bucket(Rate(2.0, 3), 100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(101.9)
    assert bucket.take(102.0)
    assert not bucket.take(102.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
