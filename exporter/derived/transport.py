"""Whether browsers connect without a TLS error; otherwise they keep no HSTS policy (RFC 6797, 8.1 and 8.4)."""

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.ternary import all_of


def is_taken(case: Case) -> bool | None:
    """Whether clients accept the certificates that were seen; None when that is not known.

    For a target with a `ca_file`, clients are those that trust it. Modern browsers get the first certificate and keep
    the policy, so only the first certificate can fail. Other refused certificates may be for other clients only.
    Certificates that may not have been seen do not count.
    """
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return None
    first, *others = (_is_taken(deployment.at(case.now)) for deployment in facts.deployments)
    return None if first and not all(others) else first


def _is_taken(deployment: Deployment) -> bool | None:
    """Whether clients accept a certificate at the time of judgement.

    A failure is known even where the trust store could not be read.
    """
    return all_of((deployment.trusted, deployment.hostname_match, not deployment.failures))
