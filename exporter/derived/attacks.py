"""Attacks that follow from what a server accepts, one pure function each. No attack is tried here.

A verdict is True as soon as the facts prove it, False only when everything it needs is known, else None.
"""

from collections.abc import Mapping
from heapq import nsmallest

from exporter.case import Case
from exporter.derived.keys import keys_known, served_keys
from exporter.derived.verdicts import AttackVerdict, Search, safe, search, trait, unknown, verdict
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.model import Protocol
from exporter.tls.suites import BY_NAME

CLASSIC = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)
"""TLS 1.3 has none of the suites that are looked for here: it has AEAD only, with fresh keys (RFC 8446, 1.2)."""
_BEFORE_TLS13 = (Protocol.SSL2, *CLASSIC)

BROKEN_PRIME_BITS = 768
"""Largest size broken in public (Kleinjung et al., "Computation of a 768-bit prime field discrete logarithm", EUROCRYPT
2017; "Imperfect Forward Secrecy", section 4, had called it within reach of academics)."""
SHARED_PRIME_BITS = 1024
"""Largest size that "Imperfect Forward Secrecy", section 4, thinks a state can break, by one computation for all
servers that share the prime. Section 5 asks for fresh primes where 1024 bits must stay."""

MOST_NAMED = 8
"""Maximum number of targets that one verdict names as sharing a key.

Thousands can share one, and each of their reports would name all the others.
"""

_BLOCKS_OF_64 = ("_3DES_", "_DES_", "_DES40_", "_IDEA_", "_RC2_", "_WITH_FORTEZZA_CBC_")

is_cbc = trait(lambda name: name in BY_NAME and BY_NAME[name].cbc)
is_rc4 = trait(lambda name: "_RC4_" in name)
has_blocks_of_64 = trait(lambda name: any(cipher in name for cipher in _BLOCKS_OF_64))
"""Block ciphers with 64-bit blocks under one key for the entire connection.

GOST 28147-89 and Magma have such blocks too, but in modes that change the key during the connection (every KiB by RFC
4357, 2.3.2; by TLSTREE in RFC 9189). So no key encrypts the 2^32 blocks that the attack needs.
"""
is_finite_field = trait(lambda name: name.removeprefix("OLD_").startswith(("TLS_DHE_", "TLS_DH_")))
_is_512_bits = trait(lambda name: bool(is_finite_field(name)) and "_EXPORT_" in name)
"""RFC 2246, appendix C: the export suites of Diffie-Hellman, including static and anonymous ones."""


def is_rsa_export(name: str) -> bool | None:
    """Whether the client encrypts to a key of 512 bits (RFC 2246, appendix C).

    EXPORT1024 allows 1024 bits (draft-ietf-tls-56-bit-ciphersuites, 2). Servers may use less, but these suites are not
    checked.
    """
    if name.startswith("TLS_RSA_EXPORT1024_"):
        return None
    return trait(lambda known: known.startswith("TLS_RSA_EXPORT_"))(name)


def crime(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2012-4929: the length of compressed data reveals its content."""
    source = "CVE-2012-4929; Rizzo and Duong, ekoparty 2012"
    match facts.compression:
        case True:
            return AttackVerdict(True, "accepts TLS compression", ("compression",), source)
        case False:
            return safe("accepts no TLS compression", source)
        case None:
            return unknown("it is not known whether it accepts TLS compression", source)


def freak(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2015-0204: a client accepts the server's RSA key of 512 bits.

    The export cipher kinds of SSL 2 belong to DROWN.
    """
    source = 'CVE-2015-0204; Beurdouche et al., "A Messy State of the Union", IEEE S&P 2015'
    return verdict(search(facts, CLASSIC, is_rsa_export), "suites with export-grade RSA", source)


def poodle(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2014-3566: SSL 3 does not check the padding of CBC mode. Stream ciphers have no padding.

    Servers that do not check the padding in TLS either (CVE-2014-8730) have another flaw, which is not looked for.
    """
    source = 'CVE-2014-3566; Möller, Duong, Kotowicz, "This POODLE Bites", 2014'
    return verdict(search(facts, (Protocol.SSL3,), is_cbc), "suites in CBC mode in SSLv3", source)


def beast(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2011-3389: up to TLS 1.0 the last block of a record is the initialization vector of the next one.

    Clients work around it by splitting records. A server cannot know which clients do, so the verdict is about what it
    accepts.
    """
    source = 'CVE-2011-3389; Duong and Rizzo, "Here Come The XOR Ninjas", 2011'
    where = (Protocol.SSL3, Protocol.TLS1_0)
    return verdict(search(facts, where, is_cbc), "suites in CBC mode in SSLv3 or TLSv1.0", source)


def sweet32(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2016-2183: after 2^32 blocks of 64 bits, two blocks are equal."""
    source = 'CVE-2016-2183; Bhargavan and Leurent, "On the Practical (In-)Security of 64-bit Block Ciphers", CCS 2016'
    return verdict(search(facts, _BEFORE_TLS13, has_blocks_of_64), "suites with 64-bit blocks", source)


def rc4(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2013-2566, CVE-2015-2808: the output of RC4 is biased."""
    source = "CVE-2013-2566, CVE-2015-2808; RFC 7465"
    return verdict(search(facts, _BEFORE_TLS13, is_rc4), "suites with RC4", source)


def insecure_renegotiation(facts: HandshakeFacts, renegotiates: bool | None) -> AttackVerdict:
    """CVE-2009-3555: a renegotiation that is not bound to the previous handshake (RFC 5746) may come from an attacker.

    A server without RFC 5746 is not vulnerable by that alone, because it may refuse every renegotiation (RFC 5746,
    4.1). It is vulnerable when it grants one. A server that refuses renegotiations by clients is not proven safe,
    because it may ask for one itself. What servers with RFC 5746 grant to clients without it (4.4) is not tried.

    Args:
        facts: what the server accepts.
        renegotiates: whether the server granted a renegotiation when it was tried.
    """
    source = "CVE-2009-3555; RFC 5746"
    states = [facts.protocols.get(protocol) for protocol in CLASSIC]
    bound = facts.extensions.get("secure_renegotiation")
    if not any(states) and None not in states:
        return safe("accepts no protocol that has renegotiation", source)
    if bound is False and renegotiates:
        why = "renegotiates without RFC 5746 (secure renegotiation)"
        return AttackVerdict(True, why, ("renegotiation without RFC 5746",), source)
    if bound is False:
        return unknown("lacks RFC 5746 (secure renegotiation), and is not known to renegotiate", source)
    if bound is None or None in states:
        return unknown("it is not known whether it has RFC 5746 (secure renegotiation) in every protocol", source)
    return safe("has RFC 5746 (secure renegotiation) in every protocol that has renegotiation", source)


# --- Logjam -----------------------------------------------------------------------------------------------------------


def logjam(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2015-4000, and primes that the same paper breaks or thinks that states can break.

    A prime of 769 to 1024 bits counts only if servers are known to share it. Any other may be this server's own, which
    nobody has computed for, so the verdict is unknown.

    Primes are seen in passing, one with each answer in such a suite. Servers choose the prime by the suite and its
    certificate (OpenSSL, Java). So if each accepted suite showed a prime, there are no other primes.
    """
    source = 'CVE-2015-4000; Adrian et al., "Imperfect Forward Secrecy", CCS 2015'
    export = search(facts, CLASSIC, _is_512_bits)
    weak = [prime for prime in facts.dh_primes if _is_weak(prime)]
    evidence = (*export.evidence, *(f"a prime of {prime.name or f'{prime.bits} bits'}" for prime in weak))
    if evidence:
        what = "export-grade Diffie-Hellman" if export.found else "Diffie-Hellman with a prime that is too small"
        return AttackVerdict(True, f"accepts {what}", evidence, source)
    finite = search(facts, CLASSIC, is_finite_field)
    left_open = (*finite.left_open, *_open_primes(facts, finite))
    if left_open:
        return unknown(f"it is not known whether it accepts weak primes: {', '.join(left_open)}", source)
    if finite.found:
        smallest = min(prime.bits for prime in facts.dh_primes)
        return safe(f"accepts no Diffie-Hellman with a prime of less than {smallest} bits", source)
    return safe("accepts no suites with finite-field Diffie-Hellman", source)


def _is_weak(prime: Prime) -> bool:
    return prime.bits <= BROKEN_PRIME_BITS or (prime.bits <= SHARED_PRIME_BITS and prime.name is not None)


def _open_primes(facts: HandshakeFacts, finite: Search) -> list[str]:
    """What is not known about the primes themselves."""
    hidden = [f"{protocol} {name}" for protocol, name in finite.found if facts.hides_prime(protocol, name)]
    left_open = [f"the prime of {suite} was not seen" for suite in hidden]
    if finite.found and not facts.dh_primes:
        left_open.append("no prime was seen")
    small = [prime.bits for prime in facts.dh_primes if prime.bits <= SHARED_PRIME_BITS]
    return [*left_open, *(f"other servers may share the prime of {bits} bits" for bits in small)]


# --- DROWN ------------------------------------------------------------------------------------------------------------


def drown(case: Case, facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2016-0800: a server that accepts SSL 2 with a key lets anybody decrypt what is encrypted to that key.

    A server that accepts no RSA key exchange is vulnerable too: an attacker in the middle who has such an oracle
    answers in its place, and asks the client for RSA key exchange (section 5 of the paper). TLS 1.3 alone does not
    help, for the same reason.
    """
    source = 'CVE-2016-0800; Aviram et al., "DROWN: Breaking TLS using SSLv2", USENIX Security 2016'
    kinds = facts.cipher_suites.get(Protocol.SSL2, ()) if facts.protocols.get(Protocol.SSL2) else ()
    if kinds:
        return AttackVerdict(True, "accepts SSLv2", tuple(f"SSLv2 {kind}" for kind in kinds), source)
    near, keys = case.neighbours, served_keys(case.facts)
    names = _sharing(case, near.ssl2_keys, keys)
    if names:
        why = f"shares an RSA key with {', '.join(names)}, where SSLv2 is accepted"
        return AttackVerdict(True, why, names, source)
    if facts.protocols.get(Protocol.SSL2):
        return unknown("accepts SSLv2, and is not known to have a cipher for it", source)
    if facts.protocols.get(Protocol.SSL2) is None:
        return unknown("it is not known whether it accepts SSLv2", source)
    unclear = _sharing(case, near.unclear_keys, keys)
    if unclear:
        why = f"shares an RSA key with {', '.join(unclear)}, where it may be used for SSLv2"
        return unknown(why, source)
    if (near.ssl2_keys or near.unclear_keys) and not keys_known(case.facts):
        return unknown("its keys are not all known, and other targets may accept SSLv2 with one of them", source)
    return safe("refuses SSLv2, and so does every other target of this exporter with one of its keys", source)


def _sharing(case: Case, theirs: Mapping[str, tuple[str, ...]], ours: frozenset[str]) -> tuple[str, ...]:
    """Other targets with one of our keys, for a person; a target with several addresses may be its own neighbour."""
    names = {name for key in ours for name in theirs.get(key, ())}
    first = nsmallest(MOST_NAMED, names)
    shown = ["another address of this target" if name == case.target.name else name for name in first]
    more = len(names) - len(first)
    return (*shown, f"{more} more") if more else tuple(shown)
