"""HTTP probe: what a server answers to a request for its root, for what it does not have, and to what is no request.

Redirects are not followed: a browser keeps the HSTS policy of the very response it gets (RFC 6797, 8.1). `question`
says what is asked, `http1` and `http2` ask it, `visit` over as few connections as it can, `plain` without TLS.
"""

from exporter.probes.http.probe import PROBE

__all__ = ["PROBE"]
