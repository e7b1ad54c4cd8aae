"""TLS 1.3: suites and groups together, since a HelloRetryRequest names one of each."""

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.answers import accepts
from exporter.probes.handshake.cipher_order import find_cipher_order, order_revealing_list, order_shown
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.enumeration import AnyEnumeration, Enumeration, enumerate_all
from exporter.probes.handshake.hello import KEY_SHARE_GROUPS
from exporter.probes.handshake.keyexchange import tls13_group
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import GROUPS, HelloQuery
from exporter.probes.handshake.server_hello import ServerHello
from exporter.probes.handshake.sweep import Sweep, offer_once
from exporter.tls.parameters import TLS13_GROUPS, USUAL_CURVES, USUAL_SCHEMES, USUAL_TLS13_GROUPS
from exporter.tls.suites import TLS13_SUITES, USUAL_TLS13_SUITES


async def read_tls13(conversation: Conversation) -> ProtocolResult:
    """Everything of TLS 1.3 that is not encrypted."""
    first = await offer_once(conversation, Protocol.TLS1_3, TLS13_SUITES)
    if first.wrong_version:
        return ProtocolResult(accepted=False)
    if not first.found:
        conversation.quirks.needs_key_shares = True  # the server may not know HelloRetryRequest
        first = await offer_once(conversation, Protocol.TLS1_3, TLS13_SUITES)
    if first.unproved and await _accepts_plain_hello(conversation):
        conversation.note(
            "TLSv1.3: the server rejects hellos that offer more than usual; it may support more than was found"
        )
        suites = list(conversation.observations.of(Protocol.TLS1_3).suites)
        return ProtocolResult(accepted=True, suites=suites, complete=False)
    if not first.found:
        return _not_accepted(first)
    return await _read_accepted(conversation)


def _not_accepted(first: Sweep) -> ProtocolResult:
    unproved = [HelloQuery(Protocol.TLS1_3, first.remaining)] if first.unproved else []
    refused = first.open is None or first.unproved
    return ProtocolResult(accepted=False if refused else None, unproved=unproved)


async def _read_accepted(conversation: Conversation) -> ProtocolResult:
    """All suites and groups, and whose order decides, once the server has accepted a hello."""
    seen = conversation.observations.of(Protocol.TLS1_3)
    suites = Enumeration("suites", TLS13_SUITES, seen.suites, usual=USUAL_TLS13_SUITES)
    groups: list[AnyEnumeration] = []
    if seen.groups:
        groups = [Enumeration("groups", TLS13_GROUPS, seen.groups, usual=USUAL_TLS13_GROUPS)]
    choices = await enumerate_all(
        conversation, lambda _: HelloQuery(Protocol.TLS1_3, order_revealing_list(seen.suites)), [suites, *groups]
    )
    for one in groups if conversation.quirks.needs_key_shares else ():
        one.complete = False  # only groups with a key share can be chosen
    found = list(seen.suites)
    order = order_shown(conversation, Protocol.TLS1_3, found, choices, None)
    if order is None and len(found) > 1:
        reversed_groups = tuple(reversed(seen.groups)) or None
        order = (await find_cipher_order(conversation, Protocol.TLS1_3, found, groups=reversed_groups)).order
    return ProtocolResult(
        accepted=True,
        suites=found,
        complete=suites.complete,
        cipher_order=order,
        unproved=[suites.unproved] if suites.unproved else [],
        enumerations=groups,
        group_order=await find_group_order(conversation, found[0]),
    )


async def find_group_order(conversation: Conversation, suite: int) -> CipherOrder | None:
    """Whose order of groups decides when the client sends key shares, as all clients do.

    One hello has a share for a group that is not the server's favourite, and the favourite after it. A server that
    follows its own order asks for another share (HelloRetryRequest). OpenSSL and Go take the share that is there.
    """
    seen = conversation.observations.of(Protocol.TLS1_3)
    favourite = seen.groups[0] if seen.groups else None
    share = next((group for group in KEY_SHARE_GROUPS if group in seen.groups and group != favourite), None)
    if favourite is None or share is None or conversation.quirks.needs_key_shares:
        return None
    query = HelloQuery(Protocol.TLS1_3, (suite,), groups=(share, favourite), key_share=share, purpose=GROUPS)
    answer = await conversation.put(query)
    if not isinstance(answer, ServerHello) or not accepts(answer, query):
        return None
    if not answer.retry_request:
        return CipherOrder.CLIENT
    return CipherOrder.SERVER if tls13_group(answer) == favourite else None  # a cookie alone says nothing of groups


async def _accepts_plain_hello(conversation: Conversation) -> bool:
    """Whether the server, which objected to the hellos before, accepts one that offers only what is usual."""
    plain = HelloQuery(Protocol.TLS1_3, tuple(sorted(USUAL_TLS13_SUITES)), groups=USUAL_CURVES, schemes=USUAL_SCHEMES)
    return accepts(await conversation.put(plain), plain)
