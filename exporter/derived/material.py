"""What the grade looks at, gathered from facts: what may be otherwise than it was seen is not known."""

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
"""Protocols in which suites of old are not excused by old clients; TLS 1.3 has none of these."""
_OTHER_RULES = {TrustFailure.INCOMPLETE_CHAIN, TrustFailure.NAME_MISMATCH}
_BROKEN_HASHES = {"md2", "md4", "md5"}


def _trait(has: Callable[[CipherSuite], bool]) -> Trait:
    """Of registered suites, SSL 2's among them; a bare number may be anything. A table: it is asked of every suite."""
    return {name: has(suite) for name, suite in BY_ANY_NAME.items()}.get


_is_export = _trait(lambda suite: suite.export)
_is_anonymous = _trait(lambda suite: suite.anonymous)
_lacks_forward_secrecy = _trait(lambda suite: not suite.forward_secrecy)
_lacks_aead = _trait(lambda suite: not suite.aead)


def cipher_bits(name: str) -> int | None:
    """Strength of the cipher of a suite, 0 for none; None when the suite is not registered."""
    return BY_ANY_NAME[name].bits if name in BY_ANY_NAME else None


def gather(case: Case) -> Material | None:
    """All that the grade looks at; None where nothing was accepted that is known."""
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
    """False as soon as one suite is known to be another."""
    others = search(facts, Protocol, lambda name: negated(is_rc4(name)))
    return negated(_has(others))


def _primes(facts: HandshakeFacts) -> Sizes:
    """Each suite shows its prime when it is accepted, if it shows it at all (`exporter.derived.attacks.logjam`)."""
    finite = search(facts, CLASSIC, is_finite_field)
    hidden = any(facts.hides_prime(protocol, name) for protocol, name in finite.found)
    unseen = bool(finite.left_open) or hidden or (bool(finite.found) and not facts.dh_primes)
    return Sizes(tuple(prime.bits for prime in facts.dh_primes), whole=not unseen)


# --- extensions and attacks ----------------------------------------------------------------------------------------


def _has_extension(facts: HandshakeFacts, name: str) -> bool | None:
    """Whether each protocol up to TLS 1.2 has it; true as well where there is none."""
    states = [facts.protocols.get(protocol) for protocol in CLASSIC]
    if not any(states):
        return None if None in states else True
    extension = facts.extensions.get(name)
    return None if extension and None in states else extension


def _ccs_injection(facts: HandshakeFacts, tried: bool | None) -> bool | None:
    """A flaw of OpenSSL's, mended in 1.0.1h of June 2014; the extended master secret came with 1.1.0 of August 2016.

    So who has that in every protocol need not be tried (OpenSSL's CHANGES and its advisory of 5 June 2014).
    """
    return False if tried is None and _has_extension(facts, "extended_master_secret") else tried


def _insecure_renegotiation(facts: HandshakeFacts, open_to: Callable[[Attack], bool | None]) -> bool | None:
    """The guide looks at what clients get: a server without RFC 5746 that granted them nothing keeps its A-.

    It may still ask for a renegotiation itself, which the verdict on the attack therefore leaves open.
    """
    verdict = open_to(Attack.INSECURE_RENEGOTIATION)
    if verdict is not None or _has_extension(facts, "secure_renegotiation") is not False:
        return verdict
    return False if open_to(Attack.CLIENT_RENEGOTIATION) is False else None  # with some granted, there is a verdict


# --- certificates -------------------------------------------------------------------------------------------------


def _all_chains(chains: CertificateFacts | None, holds: Callable[[Deployment], bool | None]) -> bool | None:
    """Whether it holds of every chain, those that may not have been seen included."""
    if chains is None:
        return None
    return all_of((*map(holds, chains.deployments), chains.deployments_complete or None))


def _complete(deployment: Deployment) -> bool | None:
    """Whether nothing speaks for a forgotten intermediate; under an unknown authority the root alone may be missing."""
    if deployment.complete is False:
        return TrustFailure.INCOMPLETE_CHAIN not in deployment.failures
    return deployment.complete


def _trusted(case: Case, deployment: Deployment) -> bool | None:
    """Whether nothing speaks against it that has no rule of its own. A chain may have ended since it was seen."""
    deployment = deployment.at(case.now)
    if deployment.trusted is False:
        return bool(deployment.failures) and _OTHER_RULES.issuperset(deployment.failures)
    return deployment.trusted


def _signed_with(chains: CertificateFacts | None, hashes: Iterable[str]) -> bool | None:
    """Nobody goes by what a root says of itself, so its signature does not count."""

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
    """Of an RSA key that is as strong."""
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
