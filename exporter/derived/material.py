"""Gathers from facts what the grade needs. What may have changed since it was seen is unknown."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from exporter.case import Case
from exporter.derived.attacks import CLASSIC, has_blocks_of_64, is_finite_field, is_rc4
from exporter.derived.negotiation import browsers_get, browsers_lack
from exporter.derived.verdicts import Attack, Search, Trait, search
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.facts.certificate import CertificateFacts, Deployment, ServedCertificate
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts
from exporter.grade import HstsRating, Material
from exporter.grade.material import LONG_HSTS_DAYS, Sizes
from exporter.grade.scores import ec_as_rsa
from exporter.model import Protocol, TrustFailure
from exporter.pki import keys
from exporter.ternary import all_of, negated
from exporter.tls.suites import BY_ANY_NAME, CipherSuite

_LONG_SECONDS = timedelta(days=LONG_HSTS_DAYS).total_seconds()
_BEFORE_TLS13 = (Protocol.SSL2, *CLASSIC)
_NEWER = (Protocol.TLS1_1, Protocol.TLS1_2)
"""Protocols in which old clients are no excuse for old suites; TLS 1.3 has no such suites."""
_OTHER_RULES = {TrustFailure.INCOMPLETE_CHAIN, TrustFailure.NAME_MISMATCH}
_BROKEN_HASHES = {"md2", "md4", "md5"}


def _trait(has: Callable[[CipherSuite], bool]) -> Trait:
    """A trait of registered suites, SSL 2's included; a bare number may be anything.

    Computed once as a table, because every suite is looked up.
    """
    return {name: has(suite) for name, suite in BY_ANY_NAME.items()}.get


_is_export = _trait(lambda suite: suite.export)
_is_anonymous = _trait(lambda suite: suite.anonymous)
_lacks_forward_secrecy = _trait(lambda suite: not suite.forward_secrecy)
_lacks_aead = _trait(lambda suite: not suite.aead)


def cipher_bits(name: str) -> int | None:
    """Strength in bits of the cipher of a suite, 0 for none; None when the suite is not registered."""
    return BY_ANY_NAME[name].bits if name in BY_ANY_NAME else None


def gather(case: Case) -> Material | None:
    """All material of the grade; None where no accepted protocol is known."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return None
    verdicts = case.facts.get(Vulnerabilities)

    def open_to(attack: Attack) -> bool | None:
        return verdicts.verdicts[attack].vulnerable if verdicts is not None else None

    chains = case.facts.get(CertificateFacts)
    return Material(
        protocols=facts.protocols,
        ciphers=_ciphers(facts),
        keys=_keys(chains),
        primes=_primes(facts),
        anonymous=_has(search(facts, CLASSIC, _is_anonymous)),
        export=_has(search(facts, _BEFORE_TLS13, _is_export)),
        rc4=_has(search(facts, _BEFORE_TLS13, is_rc4)),
        only_rc4=_only_rc4(facts),
        rc4_used=browsers_get(facts, _NEWER, is_rc4),
        small_blocks_used=browsers_get(facts, _NEWER, has_blocks_of_64),
        forward_secrecy_used=negated(browsers_lack(facts, _lacks_forward_secrecy)),
        aead_used=negated(browsers_lack(facts, _lacks_aead)),
        md5_signature=_signed_with(chains, _BROKEN_HASHES),
        sha1_signature=_signed_with(chains, {"sha1"}),
        chain_complete=_all_chains(chains, _complete),
        trusted=_all_chains(chains, lambda deployment: _trusted(case, deployment)),
        name_match=_all_chains(chains, lambda deployment: deployment.hostname_match),
        secure_renegotiation=_has_extension(facts, "secure_renegotiation"),
        hsts=_hsts(case),
        heartbleed=open_to(Attack.HEARTBLEED),
        ccs_injection=_ccs_injection(facts, open_to(Attack.CCS_INJECTION)),
        robot=open_to(Attack.ROBOT),
        drown=open_to(Attack.DROWN),
        poodle=open_to(Attack.POODLE),
        crime=open_to(Attack.CRIME),
        insecure_renegotiation=_insecure_renegotiation(facts, open_to),
    )


# --- suites -------------------------------------------------------------------------------------------------------


def _has(seen: Search) -> bool | None:
    if seen.found:
        return True
    return None if seen.left_open else False


def _ciphers(facts: HandshakeFacts) -> Sizes:
    found = [cipher_bits(name) for protocol in facts.accepted for name in facts.cipher_suites.get(protocol, ())]
    nothing = search(facts, Protocol, lambda _: False)
    whole = not nothing.left_open and None not in found
    return Sizes(tuple(sorted({bits for bits in found if bits is not None})), whole)


def _only_rc4(facts: HandshakeFacts) -> bool | None:
    """Whether all accepted suites use RC4. False as soon as one is known not to."""
    others = search(facts, Protocol, lambda name: negated(is_rc4(name)))
    return negated(_has(others))


def _primes(facts: HandshakeFacts) -> Sizes:
    """The primes.

    An accepted suite shows its prime in its answer, if at all (`exporter.derived.attacks.logjam`).
    """
    finite = search(facts, CLASSIC, is_finite_field)
    hidden = any(facts.hides_prime(protocol, name) for protocol, name in finite.found)
    unseen = bool(finite.left_open) or hidden or (bool(finite.found) and not facts.dh_primes)
    return Sizes(tuple(prime.bits for prime in facts.dh_primes), whole=not unseen)


# --- extensions and attacks ----------------------------------------------------------------------------------------


def _has_extension(facts: HandshakeFacts, name: str) -> bool | None:
    """Whether each protocol up to TLS 1.2 has the extension; also true where none is accepted."""
    states = [facts.protocols.get(protocol) for protocol in CLASSIC]
    if not any(states):
        return None if None in states else True
    extension = facts.extensions.get(name)
    return None if extension and None in states else extension


def _ccs_injection(facts: HandshakeFacts, tried: bool | None) -> bool | None:
    """Whether the server is open to CVE-2014-0224, a flaw of OpenSSL.

    OpenSSL fixed it in 1.0.1h of June 2014. The extended master secret came with 1.1.0 of August 2016. So a server that
    has this extension in every protocol need not be tried (OpenSSL's CHANGES and its advisory of 5 June 2014).
    """
    return False if tried is None and _has_extension(facts, "extended_master_secret") else tried


def _insecure_renegotiation(facts: HandshakeFacts, open_to: Callable[[Attack], bool | None]) -> bool | None:
    """Whether clients get an insecure renegotiation.

    The guide looks at what clients get: a server without RFC 5746 that granted them nothing keeps its A-. Such a server
    may still ask for a renegotiation itself, so the verdict on the attack is unknown.
    """
    verdict = open_to(Attack.INSECURE_RENEGOTIATION)
    if verdict is not None or _has_extension(facts, "secure_renegotiation") is not False:
        return verdict
    return False if open_to(Attack.CLIENT_RENEGOTIATION) is False else None  # if it granted some, there is a verdict


# --- certificates -------------------------------------------------------------------------------------------------


def _all_chains(chains: CertificateFacts | None, holds: Callable[[Deployment], bool | None]) -> bool | None:
    """Whether it is true of every chain, including those that may not have been seen."""
    if chains is None:
        return None
    return all_of((*map(holds, chains.deployments), chains.deployments_complete or None))


def _complete(deployment: Deployment) -> bool | None:
    """Whether there is no sign of a missing intermediate.

    Below an unknown authority, only the root may be missing.
    """
    if deployment.complete is False:
        return TrustFailure.INCOMPLETE_CHAIN not in deployment.failures
    return deployment.complete


def _trusted(case: Case, deployment: Deployment) -> bool | None:
    """Whether nothing makes the chain untrusted, apart from what has a rule of its own.

    A chain may have ended since it was seen.
    """
    deployment = deployment.at(case.now)
    if deployment.trusted is False:
        return bool(deployment.failures) and _OTHER_RULES.issuperset(deployment.failures)
    return deployment.trusted


def _signed_with(chains: CertificateFacts | None, hashes: Iterable[str]) -> bool | None:
    """Whether some certificate is signed with one of these hashes.

    Clients do not verify a root's own signature, so it does not count.
    """

    def free_of_them(deployment: Deployment) -> bool | None:
        signatures = {one.signature_hash for one in deployment.linked if not one.self_signed}
        if signatures.intersection(hashes):
            return False
        return None if None in signatures else True

    return negated(_all_chains(chains, free_of_them))


def _keys(chains: CertificateFacts | None) -> Sizes:
    if chains is None:
        return Sizes((), whole=False)
    found = [_key_bits(deployment.leaf) for deployment in chains.deployments]
    whole = chains.deployments_complete and None not in found
    return Sizes(tuple(bits for bits in found if bits is not None), whole)


def _key_bits(leaf: ServedCertificate) -> int | None:
    """Bits of an RSA key of the same strength."""
    match leaf.key_algorithm:
        case keys.RSA | keys.DSA:
            return leaf.key_size_bits
        case keys.EC:
            return None if leaf.key_size_bits is None else ec_as_rsa(leaf.key_size_bits)
        case keys.ED25519:
            return ec_as_rsa(256)
        case keys.ED448:
            return ec_as_rsa(448)
        case _:
            return None


# --- HTTP ---------------------------------------------------------------------------------------------------------


def _hsts(case: Case) -> HstsRating | None:
    if case.target.protocol != "https" or case.target.host_is_ip:
        return HstsRating.NOT_APPLICABLE
    facts = case.facts.get(HttpFacts)
    if facts is None:
        return None
    if facts.hsts is None:
        return HstsRating.INVALID if facts.hsts_fields else HstsRating.ABSENT
    if facts.hsts.max_age_seconds == 0:
        return HstsRating.DISABLED
    return HstsRating.LONG if facts.hsts.max_age_seconds >= _LONG_SECONDS else HstsRating.SHORT
