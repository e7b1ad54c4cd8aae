"""The remedy of each check, by its name. A new check is added here as well."""

from collections.abc import Callable, Mapping

from exporter.case import Case
from exporter.judging.check import Demand, Outcome
from exporter.model import Remedy
from exporter.remedies import attacks, certificates, dns, general, handshake, http, software

Maker = Callable[[Case, Demand, Outcome], tuple[Remedy, ...]]
"""Facts, demand and failed outcome to what is to change; at least one remedy, and nothing is raised."""

REMEDIES: Mapping[str, Maker] = {
    "protocols": handshake.protocols,
    "cipher_suites": handshake.cipher_suites,
    "cipher_order": handshake.cipher_order,
    "key_exchange_groups": handshake.key_exchange_groups,
    "dh_parameters": handshake.dh_parameters,
    "signature_schemes": handshake.signature_schemes,
    "compression": handshake.compression,
    "forward_secrecy": handshake.forward_secrecy,
    "extensions": handshake.extensions,
    "vulnerabilities": attacks.vulnerabilities,
    "certificate_valid": certificates.valid,
    "certificate_expiry": certificates.expiry,
    "certificate_key": certificates.key,
    "certificate_signature": certificates.signature,
    "certificate_lifetime": certificates.lifetime,
    "certificate_chain": certificates.chain,
    "hsts": http.hsts,
    "hsts_on_errors": http.hsts_on_errors,
    "hsts_preload": http.hsts_preload,
    "http_redirect": http.redirect,
    "server_software": software.server_software,
    "caa": dns.caa,
    "caa_issuer": dns.caa_issuer,
    "dnssec": dns.dnssec,
    "dane": dns.dane,
    "mta_sts": dns.mta_sts,
    "mta_sts_policy": dns.mta_sts_policy,
    "grade": general.grade,
    "clients": general.clients,
}
