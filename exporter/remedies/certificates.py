"""Remedies for certificates: what to order, to renew, or to put into the served file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.model import Remedy
from exporter.pki import keys
from exporter.remedies.servers import Change, Server, everywhere, quoted, remedies

_KINDS = (keys.EC, keys.RSA, keys.ED25519, keys.ED448)
"""Kinds of keys in the order in which they are named."""
_RSA_SIZES = (2048, 3072, 4096, 8192, 16384)
_CURVE_BITS = {
    "P-256": 256,
    "P-384": 384,
    "P-521": 521,
    **{f"brainpoolP{bits}r1": bits for bits in (256, 384, 512)},
}
"""Sizes that CAs and clients accept, the smallest first."""
_FILES = {
    Server.NGINX: "nginx serves the certificates in the file of ssl_certificate.",
    Server.APACHE: "Apache serves the certificates in the file of SSLCertificateFile.",
    Server.HAPROXY: "HAProxy serves the certificates in the file of crt, which also has the key.",
    Server.POSTFIX: "Postfix serves the certificates in the files of smtpd_tls_chain_files, or of smtpd_tls_cert_file.",
    Server.DOVECOT: "Dovecot serves the certificates in the file of ssl_cert (2.4: ssl_server_cert_file).",
    Server.DOVECOT_2_4: "Dovecot 2.4 serves the certificates in the file of ssl_server_cert_file.",
}
"""The file that contains the leaf and then its issuers."""


def failing(case: Case, evidence: Collection[str]) -> list[Deployment]:
    """The chains that the evidence names by their titles; all chains where it names none."""
    facts = case.facts.get(CertificateFacts)
    everyone = list(facts.deployments) if facts else []
    return [one for one in everyone if one.title in evidence] or everyone


def replacement(case: Case, notes: Iterable[str], *, files: bool = False) -> tuple[Remedy, ...]:
    """What to do; with `files` also the file of each server that contains the leaf and its issuers."""
    said = " ".join(filter(None, dict.fromkeys(notes)))
    what = everywhere(said or "Replace the certificate by one that is as the policy asks.")
    return (*what, *(one for one in remedies(case, Change("", notes=_FILES)) if one.note)) if files else what


def missing_issuer(one: Deployment) -> str:
    """Which certificate to serve in addition."""
    last = one.linked[-1] if one.path else one.leaf
    return f"Serve the certificate of {quoted(last.issuer)} as well, behind that of {quoted(last.subject)}."


@dataclass(frozen=True, slots=True)
class WantedKey:
    """Requirements for a new key.

    Attributes:
        allowed: kinds of keys.
        curves: names of curves for EC; None for any.
    """

    allowed: Collection[str]
    min_rsa_bits: int = 0
    min_ec_bits: int = 0
    curves: Collection[str] | None = None


def new_key(wanted: WantedKey) -> str:
    """How to create a key of each allowed kind; empty where no way is known."""
    ways = [way for kind in _KINDS if kind in wanted.allowed and (way := _way(kind, wanted))]
    return f"Make one by {', or '.join(ways)}." if ways else ""


def _way(kind: str, wanted: WantedKey) -> str:
    """The command for the smallest allowed key of this kind; empty where none is known."""
    sizes = {keys.EC: _curve(wanted), keys.RSA: _rsa_bits(wanted)}
    if kind not in sizes:
        return f"openssl genpkey -algorithm {kind}"
    option = {keys.EC: "ec_paramgen_curve", keys.RSA: "rsa_keygen_bits"}[kind]
    return f"openssl genpkey -algorithm {kind} -pkeyopt {option}:{sizes[kind]}" if sizes[kind] else ""


def _rsa_bits(wanted: WantedKey) -> str:
    return str(next((size for size in _RSA_SIZES if size >= wanted.min_rsa_bits), ""))


def _curve(wanted: WantedKey) -> str:
    sizes = {name: bits for name, bits in _CURVE_BITS.items() if wanted.curves is None or name in wanted.curves}
    return next((name for name, bits in sizes.items() if bits >= wanted.min_ec_bits), "")
