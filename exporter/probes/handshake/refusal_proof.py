"""Proves at the end of a scan whether hellos that ended without an alert that refuses were refused."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from exporter.model import Protocol
from exporter.probes.handshake.answers import accepts
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.exchange import CONNECTION_ENDED, Unanswered
from exporter.probes.handshake.observations import ProtocolObservations
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.server_hello import Alert, ServerHello
from exporter.tls.suites import CLASSIC_SUITES, VERSION_CODES, for_ecdsa

_NEWEST_FIRST = (Protocol.TLS1_2, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3, Protocol.TLS1_3)
"""Protocols in the order in which a control is looked for: those with one list of suites of any length come first."""


async def prove_refusals(
    conversation: Conversation, results: Mapping[Protocol, ProtocolResult]
) -> frozenset[HelloQuery]:
    """The unproved hellos of these results that were refused. No other connection of this scan may be open."""
    unproved = [query for result in results.values() for query in result.all_unproved()]
    return await _prove(conversation, unproved, _controls(conversation, results, unproved)) if unproved else frozenset()


async def _prove(
    conversation: Conversation, unproved: Sequence[HelloQuery], controls: Sequence[HelloQuery]
) -> frozenset[HelloQuery]:
    """The unproved hellos that were refusals: all or none.

    They are sent once more, and those about protocols and suites again in the opposite order. Before, between and after
    the two rounds come controls: hellos like these that offer what the server is known to accept. A limit on
    connections does not hit exactly the unproved hellos each time. If one of them is answered now, the server ended its
    connection by chance. Others may have ended by chance as well, so none is proved.
    """
    if not controls:
        return frozenset()
    waiting = itertools.cycle(controls)
    lists = [query for query in unproved if query.restricts_extensions]
    decisive = [query for query in unproved if not query.restricts_extensions]
    # Of two machines that take turns, one must not answer the same query in both rounds, nor all the controls. So the
    # number of other hellos between the two places of a query is even, and so is the number between two controls.
    between = 1 if len(lists) % 2 else 2
    after = 1 if between == 2 or len(decisive) % 2 == 0 else 2
    rounds: tuple[tuple[list[HelloQuery], int], ...]
    rounds = (([], 1), ([*decisive, *lists], between), (decisive[::-1], after))
    for queries, count in rounds:
        for query in queries:
            if not await _is_refused_again(conversation, query):
                return frozenset()
        for control in itertools.islice(waiting, count):
            if not accepts(await conversation.put(control), control):
                return frozenset()
    return frozenset(unproved)


async def _is_refused_again(conversation: Conversation, query: HelloQuery) -> bool:
    """Whether the answer may be a refusal: the connection ended, an alert, an older version or an unoffered suite."""
    match await conversation.put(query):
        case Unanswered(cause=cause):
            return cause in CONNECTION_ENDED
        case ServerHello(version=version, suite=suite):
            return version < VERSION_CODES[query.protocol] or suite not in query.suites
        case Alert():
            return True
        case _:
            return False


def _controls(
    conversation: Conversation, results: Mapping[Protocol, ProtocolResult], unproved: Sequence[HelloQuery]
) -> list[HelloQuery]:
    """Hellos that the server should accept, one like each kind of the unproved ones."""
    controls: dict[tuple[bool, bool], HelloQuery] = {}
    for query in unproved:
        seen = conversation.observations.of(query.protocol)
        control = _control_for(query, seen) if seen.suites else None
        if control and results[query.protocol].accepted:
            controls.setdefault((query.groups is None, query.schemes is None), control)
    return list(controls.values()) or _protocol_controls(conversation, results)


def _control_for(query: HelloQuery, seen: ProtocolObservations) -> HelloQuery | None:
    """The query with what the server is known to accept at the end of each list; None where there is nothing like it.

    `seen` is of the protocol of the query. A suite for another kind of certificate does not count: some servers choose
    the certificate first, and do not look at that suite then.
    """
    kinds = {for_ecdsa(code) for code in query.suites}
    more = [code for code in seen.suites if code not in query.suites and for_ecdsa(code) in kinds]
    if not query.restricts_extensions and not more:
        return None
    return replace(
        query,
        suites=query.suites if query.restricts_extensions else (*query.suites, more[0]),
        groups=None if query.groups is None else (*query.groups, *seen.groups),
        schemes=None if query.schemes is None else (*query.schemes, *seen.schemes),
        alpn=None,
    )


def _protocol_controls(conversation: Conversation, results: Mapping[Protocol, ProtocolResult]) -> list[HelloQuery]:
    """For unproved protocols alone: a hello with all suites that are refused and, at the end, one that is accepted."""
    for protocol in _NEWEST_FIRST:
        suites = results[protocol].suites
        if suites and protocol is not Protocol.TLS1_3 and conversation.quirks.reads_long_lists:
            others = tuple(code for code in CLASSIC_SUITES if code not in suites)
            return [HelloQuery(protocol, (*others, suites[0]))]
        if suites:
            return [HelloQuery(protocol, (suites[0],))]
    return []
