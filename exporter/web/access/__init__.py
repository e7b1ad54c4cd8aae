"""Access control by the web configuration file of Prometheus' exporter-toolkit.

`file` reads it, `tls` makes the SSL context of it, `access` has the one in use and follows the files, `guard` stands
before the application. Whether a request has proved who sends it is `is_authenticated(scope)`; whether every request
has to is `Access.authenticates`.
"""

from exporter.web.access.access import Access, AccessWatch, Denial, make_access
from exporter.web.access.file import FirstRead, WebConfig, first_read, read_web_config
from exporter.web.access.guard import AUTHENTICATED, NETWORK, Guard, is_authenticated
from exporter.web.access.passwords import Passwords
from exporter.web.access.tls import Tls

__all__ = [
    "AUTHENTICATED",
    "NETWORK",
    "Access",
    "AccessWatch",
    "Denial",
    "FirstRead",
    "Guard",
    "Passwords",
    "Tls",
    "WebConfig",
    "first_read",
    "is_authenticated",
    "make_access",
    "read_web_config",
]
