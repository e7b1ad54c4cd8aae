"""A worker's process: what fails for one target of a batch is said of that target, and the others are scanned."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest

from exporter.backends.celery_app import Broker, make_app, results_queue
from exporter.backends.celery_backend import Around, CeleryBackend, Times
from exporter.backends.celery_link import CeleryLink, LinkHooks
from exporter.backends.celery_worker import Job, Process
from exporter.backends.messages import Assignment, Tasks, WorkerReply, open_envelope, open_reply, seal
from exporter.backends.remote import Remote
from exporter.backends.wire import no_credentials, task_of
from exporter.config.celery import CelerySettings
from exporter.model import Proxy, Target
from tests.support.targets import NOW, make_environment, make_target

KEY, ZONE, EXPORTER = b"k" * 32, "dmz", "e" * 32


def scanned(folder: Path, targets: list[Target], credentials: Callable[[Proxy], Proxy]) -> list[WorkerReply]:
    """What a process replies to a batch, over a broker in memory."""
    app = make_app(Broker("memory://", "memory://", None))
    job = Job(ZONE, KEY, make_environment, credentials, lambda: NOW, folder, lambda: None)
    assignments = tuple(
        Assignment(id=f"{number:032x}", task=task_of(one, {}), done_by=NOW + timedelta(seconds=60))
        for number, one in enumerate(targets)
    )
    tasks = Tasks(reply_to=EXPORTER, start_by=NOW + timedelta(seconds=60), assignments=assignments)
    replies: list[WorkerReply] = []

    def take(body: Any, message: Any) -> None:  # noqa: ANN401 - kombu has no types
        message.ack()
        replies.append(open_reply(open_envelope(body), ZONE, KEY))

    process = Process(app, job)
    with (
        closing(process._loop),  # noqa: SLF001 - in a worker, it ends with its process
        app.connection_for_read() as connection,
        connection.Consumer(results_queue(EXPORTER), callbacks=[take], accept=["json"]),
    ):
        process.scan(seal(tasks, ZONE, KEY))
        while len(replies) < 1 + len(targets):
            connection.drain_events(timeout=10)
    return replies


def test_no_text_of_a_job_or_a_connection_has_a_key() -> None:
    job = Job(ZONE, KEY, make_environment, no_credentials, lambda: NOW, Path(), lambda: None)
    broker = Broker("amqp://user:password@localhost", "amqp://localhost", None)
    settings = CelerySettings.model_validate({"broker_url": broker.shown, "zones": {ZONE: {"key_file": "dmz.key"}}})
    link = CeleryLink(make_app(broker), broker.shown, EXPORTER, LinkHooks(print, print), SystemRandom())
    backend = CeleryBackend(link, {ZONE: KEY}, Times(1.0), Around(lambda: NOW, str, print))
    shown = f"{job} {Remote(settings, broker, {ZONE: KEY}, link, backend)} {link}"
    assert KEY.decode() not in shown
    assert "password@" not in shown


def unreadable(_proxy: Proxy) -> Proxy:
    raise PermissionError(13, "Permission denied", "/etc/tls-posture-exporter/proxy.password")


@pytest.mark.parametrize("credentials", [unreadable, no_credentials])
def test_a_password_that_cannot_be_read_does_not_cost_the_other_targets(
    tmp_path: Path, credentials: Callable[[Proxy], Proxy]
) -> None:
    behind = make_target(1, name="behind", proxy=Proxy("http", "127.0.0.1", 1, "user", "secret"))
    other = make_target(1, name="other")
    replies = scanned(tmp_path, [behind, other], credentials)
    kinds = {(one.kind, *one.ids) for one in replies}
    assert kinds == {("begun", f"{0:032x}", f"{1:032x}"), ("refused", f"{0:032x}"), ("done", f"{1:032x}")}
    assert "proxy.password" not in str(replies)
