"""Configuration lines for HTTP responses: the HSTS header and the redirect."""

from exporter.case import Case
from exporter.facts.http import HttpFacts
from exporter.model import Target, is_ip
from exporter.remedies.servers import Change, Server

_FIELD = "Strict-Transport-Security"


def hsts_value(case: Case, least: int, *, preload: bool = False) -> str:
    """The value of the HSTS header.

    Its max-age is at least `least`, or the one seen where that is longer. Directives that were seen stay.
    """
    facts = case.facts.get(HttpFacts)
    seen = [response.hsts for response in facts.responses if response.hsts] if facts else []
    age = max([least, *(one.max_age_seconds for one in seen)])
    parts = [f"max-age={age}"]
    if preload or any(one.include_subdomains for one in seen):
        parts.append("includeSubDomains")
    if preload or any(one.preload for one in seen):
        parts.append("preload")
    return "; ".join(parts)


def header_change(value: str, *, malformed: bool = False) -> Change:
    """The change that adds this field to every response.

    `malformed`: responses to malformed requests lack the field.
    """
    what = f"Send the header with every response: {value}."
    lines = {
        Server.NGINX: (f'add_header {_FIELD} "{value}" always;',),
        Server.APACHE: (f'Header always set {_FIELD} "{value}"',),
        Server.HAPROXY: (f'http-after-response set-header {_FIELD} "{value}"',),
    }
    notes = {
        Server.NGINX: "In the server block. A block within that has an add_header loses this one: repeat it there.",
        Server.APACHE: "In the virtual host, with mod_headers. Take out other lines for it, or it is sent twice.",
        Server.HAPROXY: "In the frontend; it counts for errors of HAProxy itself too.",
    }
    if "includeSubDomains" in value:
        what += " It is for all names below this one too: each of them needs TLS, or browsers cannot reach it."
    if "preload" in value:
        what += " To be taken from the preload list again takes months."
    if malformed:
        notes[Server.HAPROXY] += " HAProxy answers malformed requests by itself, and no setting changes that."
    return Change(what, lines, notes, tls=False)


NEEDS_CERTIFICATE = Change(
    "The header is good. Get a certificate that browsers accept: they keep no policy without one."
)


def redirect_change(target: Target) -> Change:
    """The change that redirects the first request to the port without TLS to the target."""
    host = target.http.host or target.host
    name = f"[{host}]" if ":" in host else host
    home = f"https://{name}" + ("" if target.port == 443 else f":{target.port}")
    port = target.http.port or 80
    own_name = not is_ip(host)
    lines = {
        Server.NGINX: (
            "server {",
            f"    listen {port};",
            *([f"    server_name {host};"] if own_name else []),
            f"    return 301 {home}$request_uri;",
            "}",
        ),
        Server.APACHE: (
            f"<VirtualHost *:{port}>",
            *([f"    ServerName {host}"] if own_name else []),
            f"    Redirect permanent / {home}/",
            "</VirtualHost>",
        ),
        Server.HAPROXY: (f"http-request redirect prefix {home} code 301 unless {{ ssl_fc }}",),
    }
    notes = {
        Server.NGINX: "Next to the server block with TLS, instead of what answers there now, with its listen lines.",
        Server.APACHE: "Next to the virtual host with TLS, instead of what answers there now.",
        Server.HAPROXY: f"In the frontend for port {port}.",
    }
    what = f"Let port {port} lead to {home} with its first answer, before it leads anywhere else (RFC 6797, 7.2)."
    return Change(what, lines, notes, tls=False)
