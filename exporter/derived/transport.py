"""Whether browsers connect without an error of TLS, without which they keep no HSTS policy (RFC 6797, 8.1 and 8.4)."""

from exporter.case import Case
from exporter.probes.certificate import CertificateFacts, Deployment


def is_taken(case: Case) -> bool | None:
    """Whether clients take each certificate that was seen; None when that is not known.

    For a target with a `ca_file` these are the clients that trust it. Certificates that may not have been seen do not
    count: the first one is what browsers of today get, and they keep the policy.
    """
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return None
    verdicts = {_is_taken(deployment, case) for deployment in facts.deployments}
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _is_taken(deployment: Deployment, case: Case) -> bool | None:
    if deployment.trusted is False or deployment.hostname_match is False:
        return False
    if not deployment.valid_from <= case.now <= deployment.valid_until:
        return False
    return None if None in {deployment.trusted, deployment.hostname_match} else True
