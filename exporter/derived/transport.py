"""Whether browsers connect without an error of TLS, without which they keep no HSTS policy (RFC 6797, 8.1 and 8.4)."""

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.ternary import all_of


def is_taken(case: Case) -> bool | None:
    """Whether clients take the certificates that were seen; None when that is not known.

    For a target with a `ca_file` these are the clients that trust it. The first certificate is what browsers of today
    get, and they keep the policy: it alone fails. Others that are refused may be for other clients alone. Certificates
    that may not have been seen do not count.
    """
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return None
    first, *others = (_is_taken(deployment.at(case.now)) for deployment in facts.deployments)
    return None if first and not all(others) else first


def _is_taken(deployment: Deployment) -> bool | None:
    """Of a certificate at the time of judgement. A failure is known even where the trust store could not be read."""
    return all_of((deployment.trusted, deployment.hostname_match, not deployment.failures))
