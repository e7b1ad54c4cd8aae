"""SSL 3 to TLS 1.2: lists of suites, offered until the server refuses what is left of them, and what else they show."""

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import SHORT_LIST, Conversation, Sweep
from exporter.probes.handshake.exhaust import AnyKind, Kind, Taken, settle_group_order, strike_out
from exporter.probes.handshake.order import cipher_order, order_shown, turned
from exporter.probes.handshake.protocol_result import Reading
from exporter.probes.handshake.question import Question
from exporter.probes.handshake.server_hello import ServerHello
from exporter.tls.parameters import APPLICATION_PROTOCOLS, CLASSIC_GROUPS, SCHEMES, USUAL_CURVES
from exporter.tls.suites import CLASSIC_SUITES, KeyExchange, for_dss, for_ecdsa, layout, signed


def by_authentication(suites: Sequence[int], length: int) -> list[tuple[int, ...]]:
    """The suites in lists of at most `length`, those for ECDSA certificates apart from the others."""
    others = [code for code in suites if not for_ecdsa(code)]
    groups = [group for group in (others, [code for code in suites if for_ecdsa(code)]) if group]
    return [tuple(group[start : start + length]) for group in groups for start in range(0, len(group), length)]


class ClassicReader:
    """Reads one server's protocols up to TLS 1.2; what one of them shows of its manners is used for the next."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._two_certificates = False
        self._mixes_certificates = False
        self._asks_applications = True

    async def read(self, protocol: Protocol) -> Reading:
        """Everything of this protocol."""
        one_kind = protocol is Protocol.SSL3 or not self._two_certificates
        if self._talk.reads_long_lists and not self._mixes_certificates and one_kind:
            # One list for all would only show the order between the two kinds of suites, of which there is one.
            return await self._read_lists(protocol, by_authentication(CLASSIC_SUITES, len(CLASSIC_SUITES)), Sweep())
        long = await self._talk.sweep(protocol, CLASSIC_SUITES)
        if long.wrong_version:
            return Reading(accepted=False)
        self._talk.hangs_up |= long.turned_away
        ended = long.open is None or long.turned_away
        order = None
        if ended and long.found and not self._talk.reads_long_lists:
            order = await self._read_to_the_end(protocol, long)
        if ended and self._talk.reads_long_lists:
            return await self._read_lists(protocol, self._hidden(long), long, order)
        return await self._read_lists(protocol, by_authentication(long.left, SHORT_LIST), long)

    async def _read_to_the_end(self, protocol: Protocol, sweep: Sweep) -> CipherOrder | None:
        """Whether the server finds accepted suites behind those it just refused: so it read them all.

        What one protocol proves holds for all. The order in which it finds them is told too.
        """
        if len(sweep.found) > 1:
            preference = await cipher_order(self._talk, protocol, sweep.found, refused=sweep.left)
            self._talk.reads_long_lists = preference.reads_on
            return preference.order
        for far in (True, False):
            answer = await self._talk.put(Question(protocol, (*sweep.left, *sweep.found), far=far))
            if isinstance(answer, ServerHello) and answer.suite in sweep.found:
                self._talk.reads_long_lists = True
                break
        return None

    def _hidden(self, sweep: Sweep) -> list[tuple[int, ...]]:
        """Lists of what the choice of a certificate may have hidden: suites for the kind that was never chosen."""
        kinds = [for_ecdsa(code) for code in sweep.found]
        # Chosen first for one kind, then for the other, then for the first again: what was left did not decide it.
        self._mixes_certificates |= sum(one != other for one, other in pairwise(kinds)) > 1
        if self._mixes_certificates:
            return []
        lists = by_authentication(sweep.left, len(sweep.left))
        return [suites for suites in lists if for_ecdsa(suites[0]) not in kinds]

    async def _read_lists(
        self, protocol: Protocol, lists: list[tuple[int, ...]], long: Sweep, order: CipherOrder | None = None
    ) -> Reading:
        """Ask for what is left, list by list, each of which the server reads whole. `long` is what was asked before."""
        found, complete = list(long.found), not long.failed
        sources = 1 if found else 0
        doubts: list[Question] = []
        if long.turned_away and self._talk.reads_long_lists and (found or not lists):
            doubts.append(Question(protocol, long.left))
        for suites in lists:
            part = await self._talk.sweep(protocol, suites)
            if part.wrong_version and not found:
                return Reading(accepted=False)
            found += part.found
            sources += bool(part.found)
            complete &= not part.failed
            if part.turned_away:
                doubts.append(Question(protocol, part.left))
            elif part.open is not None:
                complete = False
                if part.silent or not self._talk.agreed:
                    break  # the question stays open: more of the same would take long, or not help
        beside = [code for code in self._talk.observed.of(protocol).suites if code not in found]
        found += beside  # taken from a hello that was no part of these lists
        sources += bool(beside)
        if not found:
            return Reading(accepted=False if complete else None, doubts=doubts)
        if sources > 1 and len(found) <= SHORT_LIST:
            # Several lists say nothing of the order between them.
            again = await self._talk.sweep(protocol, found, lean=False)
            found = again.found + [code for code in found if code not in again.found]
        self._two_certificates |= len({for_ecdsa(code) for code in found}) > 1
        missed = await self._talk.look_for_lost(protocol, found)
        complete &= missed == []
        found += missed or []
        refused = [code for code in CLASSIC_SUITES if code not in found] if complete and not doubts else []
        self._talk.refused[protocol] = set(refused)
        kinds, taken = await self._strike_out(protocol, found, refused if self._talk.reads_long_lists else [])
        order = order_shown(self._talk, protocol, found, taken, order)
        if order is None and len(found) > 1:
            order = (await cipher_order(self._talk, protocol, found)).order
        return Reading(accepted=True, suites=found, complete=complete, order=order, doubts=doubts, kinds=kinds)

    async def _strike_out(
        self, protocol: Protocol, found: Sequence[int], refused: Sequence[int]
    ) -> tuple[list[AnyKind], Taken]:
        """Groups, signature schemes and application protocols, as far as answers have shown that there are any.

        And what was taken of the suites offered for it. Suites for different kinds of certificates are not mixed:
        OpenSSL chooses the suite first and then fails for want of a scheme, HAProxy the certificate, and ECDSA
        certificates are used only where the curve of their key is offered. The suites that were refused are offered
        again behind them: hellos that end in a refusal ask other machines behind the address, too.
        """
        talk, seen = self._talk, self._talk.observed.of(protocol)
        curves = _alike([code for code in found if layout(code) is KeyExchange.ECDH])
        signing = [code for code in found if signed(code)]
        first = _alike([code for code in curves if code in signing] or signing)
        kinds: list[AnyKind] = []
        if seen.groups and curves and protocol is not Protocol.SSL3:
            behind = talk.observed.certificate_curves() if for_ecdsa(curves[0]) else ()
            kinds.append(Kind("groups", CLASSIC_GROUPS, seen.groups, likely=frozenset(USUAL_CURVES), behind=behind))
        if seen.schemes and first:
            kinds.append(_schemes(seen.schemes, first))
        if talk.observed.applications and self._asks_applications and protocol is not Protocol.SSL3:
            self._asks_applications = False
            kinds.append(Kind("applications", APPLICATION_PROTOCOLS, talk.observed.applications))

        def base(names: Collection[str]) -> Question:
            if set(names) == {"applications"}:
                return Question(protocol, tuple(found[: SHORT_LIST - 1]))  # the favourite in front: h2 wants such
            suites = curves if "groups" in names else first
            return _again_behind(protocol, suites, refused)

        taken = await strike_out(talk, base, kinds)
        if any(kind.name == "groups" for kind in kinds):
            await settle_group_order(talk, Question(protocol, (curves[0],)))
        while seen.schemes and (others := [code for code in signing if _key(code) not in {_key(c) for c in first}]):
            more = _alike(others)
            first += more
            kinds.append(_schemes(seen.schemes, more))
            taken += await strike_out(talk, _always(_again_behind(protocol, more, refused)), kinds[-1:])
        return kinds, taken


def _again_behind(protocol: Protocol, suites: Sequence[int], refused: Sequence[int]) -> Question:
    """A hello with these suites and, behind them, those for the same kind of certificate that were refused."""
    alike = [code for code in refused if for_ecdsa(code) == for_ecdsa(suites[0])]
    return Question(protocol, (*turned(suites[: SHORT_LIST - 1]), *alike))


def _always(question: Question) -> Callable[[Collection[str]], Question]:
    return lambda _: question


def _key(code: int) -> tuple[bool, bool]:
    """Which kind of certificate a suite needs."""
    return for_ecdsa(code), for_dss(code)


def _alike(suites: Sequence[int]) -> list[int]:
    """Those of the suites that are for one kind of certificate; RSA before DSA and ECDSA."""
    kind = min(map(_key, suites), default=None)
    return [code for code in suites if _key(code) == kind]


_LIKELY_SCHEMES = {
    (False, False): frozenset({0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806}),
    (True, False): frozenset({0x0403, 0x0503, 0x0603}),
}


def _schemes(seen: Sequence[int], suites: Sequence[int]) -> Kind[int]:
    return Kind("schemes", SCHEMES, seen, likely=_LIKELY_SCHEMES.get(_key(suites[0]), frozenset()))
