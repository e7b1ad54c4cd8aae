"""Somebody who can read and write everything on the broker, and has the key of one zone only: what they may send."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.backends.celery_app import TASK, broker_of, make_app, results_exchange, to_zone
from exporter.backends.messages import Assignment, Tasks, WorkerReply, seal
from exporter.backends.wire import task_of
from exporter.config.celery import read_key
from exporter.config.zone_worker import load_worker_config
from tests.support.targets import make_target


def task(*, start_by: datetime | None = None, number: str = "a") -> Tasks:
    """A task to scan what somebody else wants."""
    by = start_by or datetime.now(UTC) + timedelta(seconds=30)
    one = Assignment(id=number * 32, task=task_of(make_target(), {}), done_by=by + timedelta(seconds=30))
    return Tasks(reply_to="f" * 32, start_by=by, assignments=(one,))


def forge_messages(config: Path, office: Path, dmz: Path, exporter: str) -> None:
    """Send forged, repeated and late messages to the worker of dmz, and forged ones to an exporter."""
    app = make_app(broker_of(load_worker_config(config).celery))
    keys = {"office": read_key(str(office)), "dmz": read_key(str(dmz))}
    reply = WorkerReply(kind="begun", ids=("b" * 32,))
    with app.connection_for_write() as connection:
        to_worker: list[Any] = [
            "text",
            seal(task(), "dmz", b"another key, of at least 32 bytes"),
            seal(task(), "office", keys["office"]),
            seal(reply, "dmz", keys["dmz"]),
            seal(task(start_by=datetime.now(UTC) - timedelta(seconds=1)), "dmz", keys["dmz"]),
        ]
        to_worker += [seal(task(number="c"), "dmz", keys["dmz"])] * 2  # as if recorded, and sent again
        for message in to_worker:
            app.send_task(TASK, args=[message], **to_zone("dmz"), connection=connection, ignore_result=True)
        producer = connection.Producer(exchange=results_exchange(), serializer="json")
        to_exporter: list[Any] = [
            ["text"],
            seal(reply, "dmz", b"another key, of at least 32 bytes"),
            seal(reply, "nowhere", keys["dmz"]),
            seal(task(), "dmz", keys["dmz"]),
            seal(reply, "dmz", keys["dmz"]),
        ]
        for message in to_exporter:
            producer.publish(message, routing_key=exporter)
