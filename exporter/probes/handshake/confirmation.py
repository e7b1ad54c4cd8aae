"""Confirms, in few connections, that a server still accepts of one protocol what the scan before found.

Everything that was refused is asked for again, as often as when it was found: a server that accepts more than before
is noticed with each scan. Of what was accepted, one suite of each kind is asked for. The kinds differ in what they
need of a hello, so each certificate, each kind of key exchange and each extension is seen. Which suite, and which
group, is up to chance.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.answers import accepts
from exporter.probes.handshake.cipher_order import find_cipher_order, needs
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.enumeration import AnyEnumeration, Enumeration, enumerate_all
from exporter.probes.handshake.protocol_result import ProtocolResult
from exporter.probes.handshake.query import GROUPS, HelloQuery
from exporter.probes.handshake.sweep import Sweep, offer_once
from exporter.probes.handshake.tls12 import TLS12Reader, by_authentication, keep_quirks
from exporter.probes.handshake.tls13 import find_group_order
from exporter.tls.parameters import GROUP_NAMES, SCHEME_NAMES, TLS13_GROUPS, USUAL_TLS13_GROUPS
from exporter.tls.suites import BY_CODE, BY_NAME, CLASSIC_SUITES, TLS13_SUITES, KeyExchange, for_ecdsa, layout

_GROUP_CODES = {name: code for code, name in GROUP_NAMES.items()}
_SCHEME_CODES = {name: code for code, name in SCHEME_NAMES.items()}


class Confirmation:
    """Asks whether what `previous` has of a protocol still holds; `random` chooses the samples."""

    def __init__(
        self, conversation: Conversation, reader: TLS12Reader, previous: HandshakeFacts, random: Random
    ) -> None:
        self._conversation = conversation
        self._reader = reader
        self._previous = previous
        self._random = random

    async def read(self, protocol: Protocol) -> ProtocolResult | None:
        """The result, with the suites of the scan before; None when an answer is not the expected one."""
        found = [BY_NAME[name].code for name in self._previous.cipher_suites[protocol]]
        if protocol is Protocol.TLS1_3:
            return await self._read_tls13(found)
        return await self._read_classic(protocol, found)

    # --- SSL 3 to TLS 1.2 ---------------------------------------------------------------------------------------------

    async def _read_classic(self, protocol: Protocol, found: list[int]) -> ProtocolResult | None:
        conversation, previous = self._conversation, self._previous
        refused = tuple(code for code in CLASSIC_SUITES if code not in found)
        self._seed(protocol)
        if not await self._confirm_order(protocol, found, refused):
            return None
        keep_quirks(conversation.quirks, reads_long_lists=True, mixed=found)
        conversation.consistency.refused_suites[protocol] = set(refused)
        unproved = await self._refusals(protocol, refused)
        if unproved is None or not await self._confirm_samples(protocol, found):
            return None
        enumerations, _ = await self._reader.enumerate_rest(
            protocol, found, () if unproved else refused, together=False
        )
        return ProtocolResult(
            accepted=True,
            suites=found,
            cipher_order=previous.cipher_order.get(protocol),
            unproved=unproved,
            enumerations=enumerations,
        )

    async def _confirm_order(self, protocol: Protocol, found: list[int], refused: tuple[int, ...]) -> bool:
        """Whether the order decides that did before, in lists that the server reads past all that it refuses."""
        if len(found) > 1:
            result = await find_cipher_order(self._conversation, protocol, found, refused=refused)
            return result.reads_past_refused and result.order is self._previous.cipher_order.get(protocol)
        for chosen_last in (True, False):
            query = HelloQuery(protocol, (*refused, *found), chosen_last=chosen_last)
            if accepts(await self._conversation.put(query), query):
                return True
        return False

    async def _refusals(self, protocol: Protocol, refused: tuple[int, ...]) -> list[HelloQuery] | None:
        """Offer all that was refused, each suite twice; the hellos that need a proof. None when one is accepted.

        Those for one kind of certificate are offered without the others first, unless the server mixes both: some
        choose the certificate first, and then look only at the suites that fit it.
        """
        mixes = self._conversation.quirks.mixes_certificates
        lists = [refused] if mixes else by_authentication(refused, len(refused))
        unproved: list[HelloQuery] = []
        for suites in (*lists, refused):
            if len(unproved) == len(lists):
                break  # the proof repeats them
            part = await offer_once(self._conversation, protocol, suites)
            if part.unproved:
                keep_quirks(self._conversation.quirks, refuses_by_closing=True)
                unproved.append(HelloQuery(protocol, suites))
            elif not _is_refused(part):
                return None
        return unproved

    async def _confirm_samples(self, protocol: Protocol, found: Sequence[int]) -> bool:
        """Whether the server accepts a suite of each kind that no answer has shown so far."""
        conversation = self._conversation
        shown = {_kind(code) for code in conversation.observations.of(protocol).suites}
        kinds: dict[tuple[object, ...], list[int]] = {}
        for code in found:
            kinds.setdefault(_kind(code), []).append(code)
        groups = self._group_sample(protocol)
        for kind, codes in kinds.items():
            curves = groups and layout(codes[0]) is KeyExchange.ECDH and not for_ecdsa(codes[0])
            if kind in shown and not curves:
                continue
            code = self._random.choice(codes)
            query = HelloQuery(protocol, (code,), groups=groups if curves else None)
            if not accepts(await conversation.put(query), query):
                return False
            if groups and curves:
                if not await self._confirm_group_order(query, *groups):
                    return False
                groups = None  # one suite with another group is enough
        return True

    async def _confirm_group_order(self, sample: HelloQuery, other: int) -> bool:
        """Whether the order decides that did before, when the server's favourite is offered after another group.

        Each server reads a list this short to its end. What all answers of this scan show is not enough: its favourite
        may be the one that the client put first.
        """
        protocol, favourite = sample.protocol, self._groups(sample.protocol)[0]
        query = replace(sample, groups=(other, favourite), purpose=GROUPS)
        if not accepts(await self._conversation.put(query), query):
            return False
        chosen = self._conversation.observations.of(protocol).group_choices[-1].chosen
        expected = {CipherOrder.SERVER: favourite, CipherOrder.CLIENT: other}
        order = self._previous.group_order.get(protocol)
        return order not in expected or chosen == expected[order]

    def _group_sample(self, protocol: Protocol) -> tuple[int, ...] | None:
        """One group of those that the server accepts, other than its favourite; None where there is none."""
        groups = self._groups(protocol)
        return (self._random.choice(groups[1:]),) if len(groups) > 1 else None

    def _groups(self, protocol: Protocol) -> list[int]:
        return _codes(self._previous.groups.get(protocol), _GROUP_CODES)

    def _seed(self, protocol: Protocol) -> None:
        """Take over groups, schemes and application protocols, so that only the rest is asked for."""
        observations, previous = self._conversation.observations, self._previous
        seen = observations.of(protocol)
        seen.groups[:] = dict.fromkeys((*self._groups(protocol), *seen.groups))
        if protocol is Protocol.TLS1_2:
            seen.schemes[:] = dict.fromkeys((*_codes(previous.signature_schemes, _SCHEME_CODES), *seen.schemes))
        names = previous.alpn.names if previous.alpn else ()
        observations.alpn[:] = dict.fromkeys((*names, *observations.alpn))

    # --- TLS 1.3 ------------------------------------------------------------------------------------------------------

    async def _read_tls13(self, found: list[int]) -> ProtocolResult | None:
        conversation, protocol = self._conversation, Protocol.TLS1_3
        order = self._previous.cipher_order.get(protocol)
        groups = self._groups(protocol)
        rest = [group for group in TLS13_GROUPS if group not in groups]
        sample = (*rest, self._random.choice(groups)) if groups else None
        if len(found) > 1:
            if (await find_cipher_order(conversation, protocol, found, groups=sample)).order is not order:
                return None
        else:
            query = HelloQuery(protocol, tuple(found), groups=sample)
            if not accepts(await conversation.put(query), query):
                return None
        refused = tuple(code for code in TLS13_SUITES if code not in found)
        part = await offer_once(conversation, protocol, refused)
        if not (_is_refused(part) or part.unproved):
            return None
        self._seed(protocol)
        listing = self._previous.groups.get(protocol)
        enumerations: list[AnyEnumeration] = []
        if listing and listing.complete:
            seen = conversation.observations.of(protocol).groups
            enumerations = [Enumeration("groups", TLS13_GROUPS, seen, usual=USUAL_TLS13_GROUPS)]
            base = HelloQuery(protocol, tuple(found))
            await enumerate_all(conversation, lambda _: base, enumerations, together=False)
        return ProtocolResult(
            accepted=True,
            suites=found,
            cipher_order=order,
            unproved=[HelloQuery(protocol, refused)] if part.unproved else [],
            enumerations=enumerations,
            group_order=await find_group_order(conversation, found[0]),
        )


def _is_refused(part: Sweep) -> bool:
    return part.open is None and not (part.found or part.failed or part.wrong_version)


def _kind(code: int) -> tuple[object, ...]:
    """What decides how a server answers a suite: the needs of its hello, and whether encrypt_then_mac applies."""
    return (*needs(code), BY_CODE[code].cbc)


def _codes(listing: Listing | None, codes: dict[str, int]) -> list[int]:
    """Codes of the names, without those that are not registered."""
    return [codes[name] for name in listing.names if name in codes] if listing else []
