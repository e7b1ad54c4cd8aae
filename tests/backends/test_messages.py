"""Messages are believed only by those who have the key of their zone, and only in their direction."""

from datetime import timedelta
from typing import Any

import pytest

from exporter.backends.messages import (
    MOST_OF_REPLY,
    Assignment,
    RefusalCause,
    RefusedError,
    Tasks,
    WorkerReply,
    open_envelope,
    open_reply,
    open_tasks,
    seal,
)
from tests.support.targets import NOW

KEY, OTHER = b"k" * 32, b"o" * 32
REPLY = WorkerReply(kind="done", ids=("a" * 32,), results="{}")
TASKS = Tasks(
    reply_to="b" * 32,
    start_by=NOW,
    assignments=(Assignment(id="a" * 32, task="{}", done_by=NOW + timedelta(minutes=3)),),
)


def test_messages_are_the_same_on_the_other_side() -> None:
    assert open_reply(open_envelope(seal(REPLY, "dmz", KEY)), "dmz", KEY) == REPLY
    assert open_tasks(open_envelope(seal(TASKS, "dmz", KEY)), "dmz", KEY) == TASKS


def changed(**changes: Any) -> dict[str, object]:  # noqa: ANN401 - any JSON
    return seal(REPLY, "dmz", KEY) | changes


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        ("text", RefusalCause.MALFORMED),
        (None, RefusalCause.MALFORMED),
        ([], RefusalCause.MALFORMED),
        ({}, RefusalCause.MALFORMED),
        (changed(more=1), RefusalCause.MALFORMED),
        (changed(version=2), RefusalCause.MALFORMED),
        (changed(signature=None), RefusalCause.MALFORMED),
        (changed(body={"kind": "done"}), RefusalCause.MALFORMED),
        (changed(signature=""), RefusalCause.SIGNATURE),
        (changed(signature="0" * 64), RefusalCause.SIGNATURE),
        (changed(signature="ä" * 32), RefusalCause.SIGNATURE),
        (changed(body=REPLY.model_copy(update={"kind": "begun"}).model_dump_json()), RefusalCause.SIGNATURE),
        (changed(zone="office"), RefusalCause.ZONE),
        (seal(REPLY, "dmz", OTHER), RefusalCause.SIGNATURE),
        (seal(TASKS, "dmz", KEY), RefusalCause.SIGNATURE),
        (seal(WorkerReply.model_construct(kind="done", ids=("x",)), "dmz", KEY), RefusalCause.MALFORMED),
        (seal(WorkerReply.model_construct(kind="done", ids=()), "dmz", KEY), RefusalCause.MALFORMED),
        (seal(WorkerReply.model_construct(kind="gone", ids=("a" * 32,)), "dmz", KEY), RefusalCause.MALFORMED),
    ],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_everything_else_is_refused(data: object, cause: RefusalCause) -> None:
    with pytest.raises(RefusedError) as caught:
        open_reply(open_envelope(data), "dmz", KEY)
    assert caught.value.cause is cause


def test_what_is_longer_than_any_reply_is_refused_before_its_signature_is_checked() -> None:
    with pytest.raises(RefusedError) as caught:
        open_reply(open_envelope(changed(body=" " * (MOST_OF_REPLY + 1))), "dmz", KEY)
    assert caught.value.cause is RefusalCause.MALFORMED


def test_a_reply_is_not_taken_for_a_task() -> None:
    with pytest.raises(RefusedError) as caught:
        open_tasks(open_envelope(seal(REPLY, "dmz", KEY)), "dmz", KEY)
    assert caught.value.cause is RefusalCause.SIGNATURE
