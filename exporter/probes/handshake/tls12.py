"""SSL 3 to TLS 1.2: lists of suites, offered until the server refuses what remains, and what their answers show."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.cipher_order import find_cipher_order, order_revealing_list, order_shown
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.enumeration import AnyEnumeration, Enumeration, SuiteChoices, enumerate_all
from exporter.probes.handshake.life import SHORT_LIST
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import GROUPS, HelloQuery
from exporter.probes.handshake.quirks import ServerQuirks
from exporter.probes.handshake.server_hello import ServerHello
from exporter.probes.handshake.sweep import Sweep, find_missing, sweep
from exporter.tls.parameters import APPLICATION_PROTOCOLS, CLASSIC_GROUPS, SCHEMES, USUAL_CURVES
from exporter.tls.suites import CLASSIC_SUITES, KeyExchange, for_dss, for_ecdsa, layout, signed


class TLS12Reader:
    """Reads SSL 3 to TLS 1.2 of one server. Quirks that one protocol shows are used for the next."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._quirks = conversation.quirks
        self._alpn_enumerated = False

    async def read(self, protocol: Protocol) -> ProtocolResult:
        """Everything of this protocol."""
        quirks = self._quirks
        one_kind = protocol is Protocol.SSL3 or not quirks.has_two_certificates
        if quirks.reads_long_lists and not quirks.mixes_certificates and one_kind:
            # One list of all suites would only add the order between suites for ECDSA and others: one kind is missing.
            return await self._read_lists(protocol, by_authentication(CLASSIC_SUITES, len(CLASSIC_SUITES)), Sweep())
        long = await sweep(self._conversation, protocol, CLASSIC_SUITES)
        if long.wrong_version:
            return ProtocolResult(accepted=False)
        keep_quirks(quirks, refuses_by_closing=long.unproved)
        ended = long.open is None or long.unproved
        order = None
        if ended and long.found and not quirks.reads_long_lists:
            order = await self._prove_reading(protocol, long)
        if ended and quirks.reads_long_lists:
            return await self._read_lists(protocol, self._hidden(long), long, order)
        return await self._read_lists(protocol, by_authentication(long.remaining, SHORT_LIST), long)

    async def _prove_reading(self, protocol: Protocol, long: Sweep) -> CipherOrder | None:
        """Find out whether the server reads long lists to the end; gives the cipher order if the answers show it.

        The server does if it finds accepted suites after all those it has just refused. What one protocol proves holds
        for all.
        """
        if len(long.found) > 1:
            result = await find_cipher_order(self._conversation, protocol, long.found, refused=long.remaining)
            keep_quirks(self._quirks, reads_long_lists=result.reads_past_refused)
            return result.order
        for chosen_last in (True, False):
            query = HelloQuery(protocol, (*long.remaining, *long.found), chosen_last=chosen_last)
            answer = await self._conversation.put(query)
            if isinstance(answer, ServerHello) and answer.suite in long.found:
                keep_quirks(self._quirks, reads_long_lists=True)
                break
        return None

    def _hidden(self, long: Sweep) -> list[tuple[int, ...]]:
        """Lists of what the choice of a certificate may have hidden: suites for a kind that was never chosen."""
        kinds = [for_ecdsa(code) for code in long.found]
        keep_quirks(self._quirks, mixed=long.found)
        if self._quirks.mixes_certificates:
            return []
        lists = by_authentication(long.remaining, len(long.remaining))
        return [suites for suites in lists if for_ecdsa(suites[0]) not in kinds]

    async def _read_lists(
        self, protocol: Protocol, lists: list[tuple[int, ...]], long: Sweep, order: CipherOrder | None = None
    ) -> ProtocolResult:
        """Ask for what remains list by list, each of a length that the server reads. `long` was asked before."""
        conversation = self._conversation
        result = await self._sweep_lists(protocol, lists, long)
        if not result.accepted:
            return result
        found, unproved = result.suites, result.unproved
        self._quirks.has_two_certificates |= len({for_ecdsa(code) for code in found}) > 1
        missing = await find_missing(conversation, protocol, found)
        result.complete &= missing == []
        found += missing or []
        refused = [code for code in CLASSIC_SUITES if code not in found] if result.complete and not unproved else []
        conversation.consistency.refused_suites[protocol] = set(refused)
        result.enumerations, choices = await self.enumerate_rest(
            protocol, found, refused if self._quirks.reads_long_lists else []
        )
        order = order_shown(conversation, protocol, found, choices, order)
        if order is None and len(found) > 1:
            order = (await find_cipher_order(conversation, protocol, found)).order
        result.cipher_order = order
        return result

    async def _sweep_lists(self, protocol: Protocol, lists: list[tuple[int, ...]], long: Sweep) -> ProtocolResult:
        """Suites found by all lists, `long` included, in the server's order as far as one list shows it."""
        conversation = self._conversation
        found, complete = list(long.found), not long.failed
        sources = 1 if found else 0
        unproved: list[HelloQuery] = []
        if long.unproved and self._quirks.reads_long_lists and (found or not lists):
            unproved.append(HelloQuery(protocol, long.remaining))
        for suites in lists:
            part = await sweep(conversation, protocol, suites)
            if part.wrong_version and not found:
                return ProtocolResult(accepted=False)
            found += part.found
            sources += bool(part.found)
            complete &= not part.failed
            if part.unproved:
                unproved.append(HelloQuery(protocol, part.remaining))
            elif part.open is not None:
                complete = False
                if part.unresponsive or not conversation.accepted_any:
                    break  # the protocol stays unknown; the other lists would take long, or would not help
        others = [code for code in conversation.observations.of(protocol).suites if code not in found]
        found += others  # chosen from a hello that did not belong to these lists
        sources += bool(others)
        if not found:
            return ProtocolResult(accepted=False if complete else None, unproved=unproved)
        if sources > 1 and len(found) <= SHORT_LIST:
            # Several lists do not show the order between their suites.
            again = await sweep(conversation, protocol, found, reduce=False)
            found = again.found + [code for code in found if code not in again.found]
        return ProtocolResult(accepted=True, suites=found, complete=complete, unproved=unproved)

    async def enumerate_rest(
        self, protocol: Protocol, found: Sequence[int], refused: Sequence[int], *, together: bool = True
    ) -> tuple[list[AnyEnumeration], SuiteChoices]:
        """Find groups, signature schemes and application protocols, where answers showed that there are any.

        Gives the enumerations, and what was chosen of the suites offered for them.

        Suites for different kinds of certificates are not mixed. OpenSSL chooses the suite first and then fails when
        no scheme fits. HAProxy chooses the certificate first. ECDSA certificates are used only where the curve of their
        key is offered. The suites that were refused are offered again after the others. A hello that ends in a refusal
        then asks other machines behind the address for them as well.
        """
        conversation, seen = self._conversation, self._conversation.observations.of(protocol)
        curves = _for_one_key([code for code in found if layout(code) is KeyExchange.ECDH])
        signing = [code for code in found if signed(code)]
        first = _for_one_key([code for code in curves if code in signing] or signing)
        enumerations = self._enumerations(protocol, curves, first)

        def base(names: Collection[str]) -> HelloQuery:
            if set(names) == {"alpn"}:
                # With the server's favourite first: h2 requires a suite like that (RFC 9113, 9.2.2).
                return HelloQuery(protocol, tuple(found[: SHORT_LIST - 1]))
            return _refused_after(protocol, curves if "groups" in names else first, refused)

        choices = await enumerate_all(conversation, base, enumerations, together=together)
        if any(one.name == "groups" for one in enumerations):
            await _settle_group_order(conversation, HelloQuery(protocol, (curves[0],)))
        while seen.schemes and (others := [code for code in signing if _key(code) not in {_key(c) for c in first}]):
            more = _for_one_key(others)
            first += more
            enumerations.append(_schemes(seen.schemes, more))
            choices += await enumerate_all(
                conversation, _always(_refused_after(protocol, more, refused)), enumerations[-1:]
            )
        return enumerations, choices

    def _enumerations(self, protocol: Protocol, curves: Sequence[int], signing: Sequence[int]) -> list[AnyEnumeration]:
        """What is to be enumerated with suites that use curves, or that sign; ALPN in one protocol only."""
        observations = self._conversation.observations
        seen = observations.of(protocol)
        enumerations: list[AnyEnumeration] = []
        if seen.groups and curves and protocol is not Protocol.SSL3:
            fallback = observations.certificate_curves() if for_ecdsa(curves[0]) else ()
            usual = frozenset(USUAL_CURVES)
            enumerations.append(Enumeration("groups", CLASSIC_GROUPS, seen.groups, usual=usual, fallback=fallback))
        if seen.schemes and signing:
            enumerations.append(_schemes(seen.schemes, signing))
        if observations.alpn and not self._alpn_enumerated and protocol is not Protocol.SSL3:
            self._alpn_enumerated = True
            enumerations.append(Enumeration("alpn", APPLICATION_PROTOCOLS, observations.alpn))
        return enumerations


async def _settle_group_order(conversation: Conversation, base: HelloQuery) -> None:
    """Ask for one suite with the groups in two orders, where the choices so far do not show whose order decides."""
    observations = conversation.observations
    groups = tuple(observations.of(base.protocol).groups)
    if len(groups) > 1:
        for order in (groups[::-1], groups):  # the second only where the first does not show it
            if observations.group_order(base.protocol) is None:
                await conversation.put(replace(base, groups=order, purpose=GROUPS))


def keep_quirks(
    quirks: ServerQuirks,
    *,
    reads_long_lists: bool = False,
    refuses_by_closing: bool = False,
    mixed: Sequence[int] = (),
) -> None:
    """Keep what answers showed; nothing is taken back. `mixed` are suites in the order in which they were chosen."""
    quirks.reads_long_lists |= reads_long_lists
    quirks.refuses_by_closing |= refuses_by_closing
    quirks.mixes_certificates |= _mixes_kinds(mixed)


def _mixes_kinds(found: Sequence[int]) -> bool:
    """Whether suites for one kind of certificate were chosen, then for the other, then for the first again.

    Then the server does not choose the kind first.
    """
    return sum(one != other for one, other in pairwise(map(for_ecdsa, found))) > 1


def by_authentication(suites: Sequence[int], length: int) -> list[tuple[int, ...]]:
    """The suites in lists of at most `length`, those for ECDSA certificates apart from the others."""
    others = [code for code in suites if not for_ecdsa(code)]
    groups = [group for group in (others, [code for code in suites if for_ecdsa(code)]) if group]
    return [tuple(group[start : start + length]) for group in groups for start in range(0, len(group), length)]


def _refused_after(protocol: Protocol, suites: Sequence[int], refused: Sequence[int]) -> HelloQuery:
    """A hello with these suites and, after them, those for the same kind of certificate that were refused."""
    alike = [code for code in refused if for_ecdsa(code) == for_ecdsa(suites[0])]
    return HelloQuery(protocol, (*order_revealing_list(suites[: SHORT_LIST - 1]), *alike))


def _always(query: HelloQuery) -> Callable[[Collection[str]], HelloQuery]:
    return lambda _: query


def _key(code: int) -> tuple[bool, bool]:
    """The kind of certificate that a suite needs."""
    return for_ecdsa(code), for_dss(code)


def _for_one_key(suites: Sequence[int]) -> list[int]:
    """Those of the suites that are for one kind of certificate; RSA before DSA and ECDSA."""
    kind = min(map(_key, suites), default=None)
    return [code for code in suites if _key(code) == kind]


_USUAL_SCHEMES = {
    (False, False): frozenset({0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806}),
    (True, False): frozenset({0x0403, 0x0503, 0x0603}),
}


def _schemes(seen: Sequence[int], suites: Sequence[int]) -> Enumeration[int]:
    return Enumeration("schemes", SCHEMES, seen, usual=_USUAL_SCHEMES.get(_key(suites[0]), frozenset()))
