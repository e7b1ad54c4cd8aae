"""Whose order of preference decides which cipher suite is taken."""

from exporter.model import CipherOrder, Protocol
from exporter.probes.handshake.conversation import Conversation
from exporter.probes.handshake.flight import ServerHello
from exporter.probes.handshake.registry import for_ecdsa, suite_name

_ENOUGH = 62
"""Suites that tell the order of a longer list: its first and its last ones, in a list that every server reads whole."""


async def cipher_order(talk: Conversation, protocol: Protocol, found: list[int]) -> CipherOrder | None:
    """Whose order decides. `found` is in the order of the server's choices.

    The list is turned round: a server that goes by its own order still takes its first. Where a ChaCha20 suite is
    known it is put in front, since some servers let the client have its way there alone (OpenSSL's
    PrioritizeChaCha, Go); one that takes it is asked again with those suites at the end. Suites for one kind of
    certificate are enough, and not confused by a server that chooses the certificate first.
    """
    alike = [code for code in found if for_ecdsa(code) == for_ecdsa(found[0])]
    found = alike if len(alike) > 1 else found
    if len(found) > _ENOUGH:
        found = [*found[: _ENOUGH // 2], *found[-_ENOUGH // 2 :]]
    first, turned = found[0], found[::-1]
    chacha = [code for code in turned if "CHACHA20" in suite_name(code)]
    if not chacha or first in chacha:
        return await _pick_order(talk, protocol, turned, first)
    others = [code for code in turned if code not in chacha]
    order = await _pick_order(talk, protocol, chacha + others, first)
    if order is not CipherOrder.CLIENT or len(others) == 1:
        return order
    again = await _pick_order(talk, protocol, others + chacha, first)
    return CipherOrder.MIXED if again is CipherOrder.SERVER else again


async def _pick_order(talk: Conversation, protocol: Protocol, offered: list[int], first: int) -> CipherOrder | None:
    """What the answer to one list says, where `first` is the server's favourite and not in front."""
    answer = await talk.ask(protocol, offered)
    if not isinstance(answer, ServerHello) or answer.suite not in offered:
        return None
    if answer.suite == first:
        return CipherOrder.SERVER
    return CipherOrder.CLIENT if answer.suite == offered[0] else CipherOrder.MIXED
