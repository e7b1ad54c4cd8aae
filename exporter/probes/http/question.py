"""The questions of the HTTP probe, and their form in a request.

No question changes anything at the server. An operator can recognise them in a log: the user agent names this program,
and a contact if one is configured.
"""

from dataclasses import dataclass

from exporter import __version__
from exporter.facts.http import Asked
from exporter.model import Target, without_zone

PRODUCT = f"tls-posture-exporter/{__version__}"
SECOND_HOST = "malformed.invalid"
"""A server has to answer 400 to a request with a second Host field (RFC 9112, 3.2). nginx, Apache httpd, lighttpd,
Caddy and HAProxy do, HAProxy only where the two differ. In HTTP/2 the Host field in addition to `:authority` is that
second one (RFC 9113, 8.3.1). The name cannot exist (RFC 2606, 2)."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        path: the path, with the query if there is one.
        host: the value of the Host field.
        last: nothing else is asked on this connection.
    """

    asked: Asked
    path: str
    host: str
    user_agent: str
    last: bool = False

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Header fields after the host."""
        second = [("host", SECOND_HOST)] if self.asked is Asked.MALFORMED else []
        return [*second, ("user-agent", self.user_agent), ("accept", "*/*")]


def host_name(target: Target) -> str:
    """The host that is asked for: the configured one, else the target's own; an address without its zone."""
    return target.http.host or without_zone(target.host)


def host_field(target: Target, port: int, usual_port: int) -> str:
    """The Host field (RFC 9110, 7.2): without the port where it is the scheme's default."""
    name = host_name(target)
    host = f"[{name}]" if ":" in name else name
    return host if port == usual_port else f"{host}:{port}"


def questions(target: Target, nonce: str) -> tuple[Question, Question, Question]:
    """The requests for the root and for a missing page, and a malformed one; `nonce` is the path that is missing."""
    host, agent = host_field(target, target.port, 443), target.http.user_agent or PRODUCT
    return (
        Question(Asked.ROOT, target.http.path, host, agent),
        Question(Asked.NOT_FOUND, f"/tls-posture-exporter-{nonce}", host, agent),
        Question(Asked.MALFORMED, target.http.path, host, agent, last=True),
    )


def plain_question(target: Target, port: int) -> Question:
    """The request for the root without TLS, as a browser sends it for a name alone."""
    agent = target.http.user_agent or PRODUCT
    return Question(Asked.ROOT, "/", host_field(target, port, 80), agent, last=True)
