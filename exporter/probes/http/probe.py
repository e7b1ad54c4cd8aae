"""Runs the HTTP probe: which questions, in which order, within which time."""

import asyncio
import secrets
from collections.abc import Callable

from exporter.errors import ProbeError
from exporter.facts.http import HttpFacts, HttpResponse, PlainAnswer
from exporter.facts.shapes.http import SHAPE
from exporter.model import Reason
from exporter.probes.base import Probe, Session
from exporter.probes.http.plain import ask_plain, not_looked
from exporter.probes.http.question import Question, questions
from exporter.probes.http.visit import Visit

SHARE_OF_TIME = 0.5
"""Share of the time that is left of the scan after the first response. Other probes run later."""


def _random() -> str:
    """A random name for a page that cannot exist."""
    return secrets.token_hex(16)


async def look(session: Session, nonce: Callable[[], str] = _random) -> HttpFacts:
    """Ask all questions. Only the first response is required.

    Raises:
        ProbeError: there was no first response.
    """
    root, *others = questions(session.target, nonce())
    async with Visit(session.dialer, session.known) as visit:
        responses = [await visit.ask(root)]
        until = asyncio.get_running_loop().time() + session.seconds_left() * SHARE_OF_TIME
        await _ask_more(visit, others, responses, until)
    # Not earlier: with connections_per_host 1 there is no second connection while the first is open.
    plain = await _ask_plain(session, until)
    return HttpFacts(tuple(responses), plain, hsts_applies=not session.target.host_is_ip)


async def _ask_more(visit: Visit, others: list[Question], responses: list[HttpResponse], until: float) -> None:
    """Add the responses, until the server does not answer a question or time is over."""
    try:
        async with asyncio.timeout_at(until):
            for question in others:
                try:
                    responses.append(await visit.ask(question))
                except ProbeError as error:
                    if error.reason is not Reason.HTTP_ERROR:
                        return
    except TimeoutError:
        return


async def _ask_plain(session: Session, until: float) -> PlainAnswer | None:
    port = session.target.http.port
    if port is None:
        return None
    try:
        async with asyncio.timeout_at(until):
            return await ask_plain(session.dialer, port)
    except TimeoutError:
        return not_looked(port)


PROBE = Probe(
    name="http",
    shape=SHAPE,
    mandatory=True,
    applies=lambda target: target.protocol == "https",
    run=look,
)
