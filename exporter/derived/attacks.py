"""Attacks that follow from what a server accepts, one pure function each. Nothing here is tried.

Each verdict is True as soon as what is known proves it, False only when everything it needs is known, else None.
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
"""TLS 1.3 has none of the suites that are looked for here: AEAD alone, with fresh keys (RFC 8446, 1.2)."""
_BEFORE_TLS13 = (Protocol.SSL2, *CLASSIC)

BROKEN_PRIME_BITS = 768
"""Largest that was broken in public (Kleinjung et al., "Computation of a 768-bit prime field discrete logarithm",
EUROCRYPT 2017; "Imperfect Forward Secrecy", section 4, had called it within reach of academics)."""
SHARED_PRIME_BITS = 1024
"""Largest that "Imperfect Forward Secrecy", section 4, thinks a state can break, by one computation for all servers
that share the prime; section 5 asks for fresh ones where 1024 bits must stay."""

MOST_NAMED = 8
"""Targets that share a key, in one verdict: thousands can, and each of their reports would name all the others."""

_BLOCKS_OF_64 = ("_3DES_", "_DES_", "_DES40_", "_IDEA_", "_RC2_", "_WITH_FORTEZZA_CBC_")

is_cbc = trait(lambda name: name in BY_NAME and BY_NAME[name].cbc)
is_rc4 = trait(lambda name: "_RC4_" in name)
has_blocks_of_64 = trait(lambda name: any(cipher in name for cipher in _BLOCKS_OF_64))
"""Block ciphers with 64-bit blocks under one key for a whole connection.

GOST 28147-89 and Magma have such blocks too, in counter modes that change the key on the way (every KiB by RFC 4357,
2.3.2; by TLSTREE in RFC 9189), so that no key ever sees the 2^32 blocks that the attack takes."""
is_finite_field = trait(lambda name: name.removeprefix("OLD_").startswith(("TLS_DHE_", "TLS_DH_")))
_is_512_bits = trait(lambda name: bool(is_finite_field(name)) and "_EXPORT_" in name)
"""RFC 2246, appendix C: the export suites of Diffie-Hellman, static and anonymous ones included."""


def is_rsa_export(name: str) -> bool | None:
    """Whether the client encrypts to a key of 512 bits (RFC 2246, appendix C).

    EXPORT1024 allows 1024 bits (draft-ietf-tls-56-bit-ciphersuites, 2), and servers may use less: it is not looked at.
    """
    if name.startswith("TLS_RSA_EXPORT1024_"):
        return None
    return trait(lambda known: known.startswith("TLS_RSA_EXPORT_"))(name)


def crime(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2012-4929: what TLS compresses shows in its length."""
    source = "CVE-2012-4929; Rizzo and Duong, ekoparty 2012"
    match facts.compression:
        case True:
            return AttackVerdict(True, "accepts TLS compression", ("compression",), source)
        case False:
            return safe("accepts no TLS compression", source)
        case None:
            return unknown("it is not known whether it accepts TLS compression", source)


def freak(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2015-0204: a client is made to take the server's RSA key of 512 bits. SSL 2's export kinds are DROWN's."""
    source = 'CVE-2015-0204; Beurdouche et al., "A Messy State of the Union", IEEE S&P 2015'
    return verdict(search(facts, CLASSIC, is_rsa_export), "suites with export-grade RSA", source)


def poodle(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2014-3566: SSL 3 does not check the padding of CBC mode. With stream ciphers alone it has none.

    Servers that do not check it in TLS either (CVE-2014-8730) have another flaw, which is not looked for.
    """
    source = 'CVE-2014-3566; Möller, Duong, Kotowicz, "This POODLE Bites", 2014'
    return verdict(search(facts, (Protocol.SSL3,), is_cbc), "suites in CBC mode in SSLv3", source)


def beast(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2011-3389: up to TLS 1.0 the last block of a record is the next one's initialization vector.

    Clients split records against it, and a server cannot know which do; what it accepts is a fact all the same.
    """
    source = 'CVE-2011-3389; Duong and Rizzo, "Here Come The XOR Ninjas", 2011'
    where = (Protocol.SSL3, Protocol.TLS1_0)
    return verdict(search(facts, where, is_cbc), "suites in CBC mode in SSLv3 or TLSv1.0", source)


def sweet32(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2016-2183: after 2^32 blocks of 64 bits, two are alike."""
    source = 'CVE-2016-2183; Bhargavan and Leurent, "On the Practical (In-)Security of 64-bit Block Ciphers", CCS 2016'
    return verdict(search(facts, _BEFORE_TLS13, has_blocks_of_64), "suites with 64-bit blocks", source)


def rc4(facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2013-2566, CVE-2015-2808: RC4's output is biased."""
    source = "CVE-2013-2566, CVE-2015-2808; RFC 7465"
    return verdict(search(facts, _BEFORE_TLS13, is_rc4), "suites with RC4", source)


def insecure_renegotiation(facts: HandshakeFacts, renegotiates: bool | None) -> AttackVerdict:
    """CVE-2009-3555: a renegotiation that is not bound to the handshake before it (RFC 5746) may be somebody else's.

    A server without RFC 5746 is not vulnerable by that alone, since it may refuse every renegotiation (RFC 5746, 4.1);
    it is when it grants one. That it refuses those that clients ask for does not clear it, since it may ask for one
    itself. What servers with RFC 5746 grant to clients without it (4.4) is not tried.

    Args:
        facts: what it accepts.
        renegotiates: it was tried to renegotiate, and granted.
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
    """CVE-2015-4000, and primes that the same paper breaks or thinks that states can.

    A prime of more than 768 bits, up to 1024, is one when it is known that servers share it; else it may be this
    server's own, which nobody has computed for, and that is not known.

    Primes are seen in passing, one with each answer in such a suite. Servers choose the prime by the suite and the
    certificate that goes with it (OpenSSL, Java): so primes that are all large are all there are where each accepted
    suite showed one.
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
        return unknown(f"it is not known whether it takes weak primes: {', '.join(left_open)}", source)
    if finite.found:
        smallest = min(prime.bits for prime in facts.dh_primes)
        return safe(f"accepts no Diffie-Hellman with a prime of less than {smallest} bits", source)
    return safe("accepts no suites with finite-field Diffie-Hellman", source)


def _is_weak(prime: Prime) -> bool:
    return prime.bits <= BROKEN_PRIME_BITS or (prime.bits <= SHARED_PRIME_BITS and prime.name is not None)


def _open_primes(facts: HandshakeFacts, finite: Search) -> list[str]:
    """What is not known of the primes themselves."""
    hidden = [f"{protocol} {name}" for protocol, name in finite.found if facts.hides_prime(protocol, name)]
    left_open = [f"the prime of {suite} was not seen" for suite in hidden]
    if finite.found and not facts.dh_primes:
        left_open.append("no prime was seen")
    small = [prime.bits for prime in facts.dh_primes if prime.bits <= SHARED_PRIME_BITS]
    return [*left_open, *(f"other servers may share the prime of {bits} bits" for bits in small)]


# --- DROWN ------------------------------------------------------------------------------------------------------------


def drown(case: Case, facts: HandshakeFacts) -> AttackVerdict:
    """CVE-2016-0800: whoever speaks SSL 2 with a key decrypts for everybody what is encrypted to that key.

    That the server accepts no RSA key exchange does not help: somebody in the middle who has such an oracle answers in
    its place, and asks the client for one (section 5 of the paper). Nor does TLS 1.3 alone, for the same reason.
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
    return safe("refuses SSLv2, and so does every other target with one of its keys", source)


def _sharing(case: Case, theirs: Mapping[str, tuple[str, ...]], ours: frozenset[str]) -> tuple[str, ...]:
    """Who else has one of our keys, for a person; a target with several addresses may be its own neighbour."""
    names = {name for key in ours for name in theirs.get(key, ())}
    first = nsmallest(MOST_NAMED, names)
    shown = ["another address of this target" if name == case.target.name else name for name in first]
    more = len(names) - len(first)
    return (*shown, f"{more} more") if more else tuple(shown)
