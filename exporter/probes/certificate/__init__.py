"""Certificate probe: which chains a server has, what they contain, and what they are worth.

`probe` asks, `reading` reads, `ocsp` checks what is stapled, `greeting` waits for what a server says first inside TLS.
"""

from exporter.probes.certificate.probe import PROBE

__all__ = ["PROBE"]
