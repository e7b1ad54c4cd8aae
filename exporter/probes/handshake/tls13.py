"""TLS 1.3: suites and groups together, since a HelloRetryRequest names one of each."""

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exhaust import AnyKind, Kind, agreed, strike_out
from exporter.probes.handshake.hello import SHARED_GROUPS
from exporter.probes.handshake.observed import tls13_group
from exporter.probes.handshake.order import cipher_order, order_shown, turned
from exporter.probes.handshake.protocol_result import Reading
from exporter.probes.handshake.question import GROUPS, Question
from exporter.probes.handshake.server_hello import ServerHello
from exporter.tls.parameters import TLS13_GROUPS, USUAL_CURVES, USUAL_SCHEMES, USUAL_TLS13_GROUPS
from exporter.tls.suites import TLS13_SUITES, USUAL_TLS13_SUITES


async def read_tls13(talk: Conversation) -> Reading:
    """Everything of TLS 1.3 that is not encrypted."""
    first = await talk.first(Protocol.TLS1_3, TLS13_SUITES)
    if first.wrong_version:
        return Reading(accepted=False)
    if not first.found:
        talk.needs_key_shares = True  # the server may not know HelloRetryRequest
        first = await talk.first(Protocol.TLS1_3, TLS13_SUITES)
    if first.turned_away and await _takes_plain_hello(talk):
        talk.note("TLSv1.3: the server cannot stand hellos with much in them; it may have more than was found")
        return Reading(accepted=True, suites=list(talk.observed.of(Protocol.TLS1_3).suites), complete=False)
    if not first.found:
        doubts = [Question(Protocol.TLS1_3, first.left)] if first.turned_away else []
        refused = first.open is None or first.turned_away
        return Reading(accepted=False if refused else None, doubts=doubts)
    seen = talk.observed.of(Protocol.TLS1_3)
    suites = Kind("suites", TLS13_SUITES, seen.suites, likely=USUAL_TLS13_SUITES)
    groups: list[AnyKind] = []
    if seen.groups:
        groups = [Kind("groups", TLS13_GROUPS, seen.groups, likely=USUAL_TLS13_GROUPS)]
    taken = await strike_out(talk, lambda _: Question(Protocol.TLS1_3, turned(seen.suites)), [suites, *groups])
    for kind in groups if talk.needs_key_shares else ():
        kind.complete = False  # only groups that a share was sent for can be chosen
    found = list(seen.suites)
    order = order_shown(talk, Protocol.TLS1_3, found, taken, None)
    if order is None and len(found) > 1:
        order = (await cipher_order(talk, Protocol.TLS1_3, found, groups=tuple(reversed(seen.groups)) or None)).order
    group_order = await _group_order(talk, found[0])
    return Reading(
        accepted=True,
        suites=found,
        complete=suites.complete,
        order=order,
        doubts=[suites.doubt] if suites.doubt else [],
        kinds=groups,
        group_order=group_order,
    )


async def _group_order(talk: Conversation, suite: int) -> CipherOrder | None:
    """Whose order of groups decides where a client sends key shares, as all do.

    One hello with a share for a group that is not the server's favourite and the favourite behind it: a server that
    goes by its own order asks for another share (HelloRetryRequest), OpenSSL and Go take the one that is there.
    """
    seen = talk.observed.of(Protocol.TLS1_3)
    favourite = seen.groups[0] if seen.groups else None
    share = next((group for group in SHARED_GROUPS if group in seen.groups and group != favourite), None)
    if favourite is None or share is None or talk.needs_key_shares:
        return None
    question = Question(Protocol.TLS1_3, (suite,), groups=(share, favourite), share=share, about=GROUPS)
    answer = await talk.put(question)
    if not isinstance(answer, ServerHello) or not agreed(answer, question):
        return None
    if not answer.retry_request:
        return CipherOrder.CLIENT
    return CipherOrder.SERVER if tls13_group(answer) == favourite else None  # a cookie alone is asked of everybody


async def _takes_plain_hello(talk: Conversation) -> bool:
    """Whether the server, which complained of the hellos before, takes one with what is usual alone."""
    plain = Question(Protocol.TLS1_3, tuple(sorted(USUAL_TLS13_SUITES)), groups=USUAL_CURVES, schemes=USUAL_SCHEMES)
    return agreed(await talk.put(plain), plain)
