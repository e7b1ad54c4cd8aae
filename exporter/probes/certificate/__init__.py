"""Certificate probe: which chains a server has, what stands in them, and what they are worth.

`probe` asks, `reading` reads, `ocsp` checks what is stapled, `facts` and `show` are what comes of it.
"""

from exporter.probes.certificate.facts import (
    BEGUN_SINCE,
    ENDED_SINCE,
    CertificateFacts,
    Deployment,
    OcspStatus,
    ServedCertificate,
)
from exporter.probes.certificate.probe import PROBE
from exporter.probes.certificate.reading import read_chain

__all__ = [
    "BEGUN_SINCE",
    "ENDED_SINCE",
    "PROBE",
    "CertificateFacts",
    "Deployment",
    "OcspStatus",
    "ServedCertificate",
    "read_chain",
]
