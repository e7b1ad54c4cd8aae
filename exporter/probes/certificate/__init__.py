"""Certificate probe: which certificate chains a server has, their contents, and their verification.

`probe` makes the handshakes, `reading` reads chains, `ocsp` checks stapled responses, and `greeting` waits for what a
server says first inside TLS.
"""

from exporter.probes.certificate.probe import PROBE

__all__ = ["PROBE"]
