"""What is asked for, and how it stands in a request.

Everything is asked in a way that changes nothing at the server, and that its operator recognises in a log: the user
agent names this program, and whom to ask if one is configured.
"""

from dataclasses import dataclass

from exporter import __version__
from exporter.facts.http import Asked
from exporter.model import Target, without_zone

PRODUCT = f"tls-posture-exporter/{__version__}"
SECOND_HOST = "malformed.invalid"
"""A server has to answer 400 to a request with a second Host field (RFC 9112, 3.2), and nginx, Apache httpd, lighttpd,
Caddy and HAProxy do, HAProxy where the two differ. In HTTP/2 the field beside `:authority` is that second one (RFC
9113, 8.3.1). The name can be nobody's (RFC 2606, 2)."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        path: with the query, if there is one.
        host: as in a Host field.
        last: nothing else is asked on this connection.
    """

    asked: Asked
    path: str
    host: str
    user_agent: str
    last: bool = False

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Header fields behind the host."""
        second = [("host", SECOND_HOST)] if self.asked is Asked.MALFORMED else []
        return [*second, ("user-agent", self.user_agent), ("accept", "*/*")]


def host_name(target: Target) -> str:
    """The host that is asked for: the configured one, else the target's own, an address without its zone."""
    return target.http.host or without_zone(target.host)


def host_field(target: Target, port: int, usual_port: int) -> str:
    """RFC 9110, 7.2: without the port where it is the scheme's."""
    name = host_name(target)
    host = f"[{name}]" if ":" in name else name
    return host if port == usual_port else f"{host}:{port}"


def questions(target: Target, nonce: str) -> tuple[Question, Question, Question]:
    """For the root, for what is not there, and what is not a request; `nonce` makes the second a path nobody has."""
    host, agent = host_field(target, target.port, 443), target.http.user_agent or PRODUCT
    return (
        Question(Asked.ROOT, target.http.path, host, agent),
        Question(Asked.NOT_FOUND, f"/tls-posture-exporter-{nonce}", host, agent),
        Question(Asked.MALFORMED, target.http.path, host, agent, last=True),
    )


def plain_question(target: Target, port: int) -> Question:
    """For the root without TLS: what a browser asks for that was given the name alone."""
    agent = target.http.user_agent or PRODUCT
    return Question(Asked.ROOT, "/", host_field(target, port, 80), agent, last=True)
