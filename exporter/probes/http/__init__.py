"""HTTP probe: how a server answers requests for its root, for a missing page, and malformed ones.

Redirects are not followed: a browser keeps the HSTS policy of each response it gets (RFC 6797, 8.1). `question` has the
requests, `http1` and `http2` send them, `visit` uses as few connections as possible, and `plain` asks without TLS.
"""

from exporter.probes.http.probe import PROBE

__all__ = ["PROBE"]
