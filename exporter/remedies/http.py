"""Remedies for what is answered over HTTP: HSTS and the redirect."""

from exporter.case import Case
from exporter.checks.hsts import HstsDemand
from exporter.checks.hsts_on_errors import HstsOnErrorsDemand
from exporter.checks.hsts_preload import MIN_MAX_AGE_SECONDS
from exporter.facts.http import Asked, HttpFacts
from exporter.judging.check import Demand, Outcome
from exporter.model import Remedy, Target, is_ip
from exporter.remedies.servers import Change, Server, remedies

_FIELD = "Strict-Transport-Security"


def _policy(case: Case, least: int, *, preload: bool = False) -> str:
    """The field: at least this max-age, or what is seen where that is more; its directives stay."""
    facts = case.facts.get(HttpFacts)
    seen = [response.hsts for response in facts.responses if response.hsts] if facts else []
    age = max([least, *(one.max_age_seconds for one in seen)])
    parts = [f"max-age={age}"]
    if preload or any(one.include_subdomains for one in seen):
        parts.append("includeSubDomains")
    if preload or any(one.preload for one in seen):
        parts.append("preload")
    return "; ".join(parts)


def _header(value: str, *, malformed: bool = False) -> Change:
    what = f"Send the header with every response: {value}."
    lines = {
        Server.NGINX: (f'add_header {_FIELD} "{value}" always;',),
        Server.APACHE: (f'Header always set {_FIELD} "{value}"',),
        Server.HAPROXY: (f'http-after-response set-header {_FIELD} "{value}"',),
    }
    notes = {
        Server.NGINX: "In the server block. An add_header further in takes it away there: repeat it there.",
        Server.APACHE: "In the virtual host, with mod_headers. Take out other lines for it, or it is sent twice.",
        Server.HAPROXY: "In the frontend; it counts for errors of HAProxy itself too.",
    }
    if "includeSubDomains" in value:
        what += " It is for all names below this one too: each of them needs TLS, or browsers cannot reach it."
    if "preload" in value:
        what += " To be taken from the preload list again takes months."
    if malformed:
        notes[Server.HAPROXY] += " What is no request at all it answers by itself, and nothing changes that."
    return Change(what, lines, notes, tls=False)


_CERTIFICATE = Change("The header is good. Get a certificate that browsers take: they keep no policy without.")


def hsts(case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The header with the demanded max-age."""
    least = demand.min_max_age_seconds if isinstance(demand, HstsDemand) else 1
    if not outcome.evidence and (facts := case.facts.get(HttpFacts)) and facts.hsts_fields:
        return remedies(case, _CERTIFICATE)
    return remedies(case, _header(_policy(case, least)))


def hsts_on_errors(case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Likewise, in the form that is on errors."""
    least = demand.min_max_age_seconds if isinstance(demand, HstsOnErrorsDemand) else 1
    if not outcome.evidence:
        return remedies(case, _CERTIFICATE)
    malformed = any(key.startswith(Asked.MALFORMED) for key in outcome.evidence)
    return remedies(case, _header(_policy(case, least), malformed=malformed))


_OF_THE_HEADER = frozenset({"one_header_field", "max_age", "include_subdomains", "preload", "header_after_redirect"})
_REDIRECT = "redirect_from_http"
_OTHER_RULES = {
    "registrable_domain": "Submit the domain that was registered and not the top-level domain above it.",
    "certificate": "Get a certificate that browsers trust, for this name.",
    "no_sha1": "Replace the certificates that are signed with SHA-1.",
    "secure_redirects": "Let / lead to https only.",
}
"""Rules of the preload list that no line here mends -> what to do."""


def hsts_preload(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The header as the list wants it, the redirect where it is that, and a word on the other rules."""
    broken = {name for name, texts in outcome.evidence.items() if any(text.startswith("fail") for text in texts)}
    changes: list[Change] = []
    if _OF_THE_HEADER & broken:
        changes.append(_header(_policy(case, MIN_MAX_AGE_SECONDS, preload=True)))
    if _REDIRECT in broken:
        changes.append(_redirect(case.target))
    changes += [Change(note) for name, note in _OTHER_RULES.items() if name in broken]
    return remedies(case, *changes)


def redirect(case: Case, _demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """Port 80's first answer leads to the target."""
    return remedies(case, _redirect(case.target))


def _redirect(target: Target) -> Change:
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
        Server.NGINX: "Beside the server block with TLS, in place of what answers there now, with its listen lines.",
        Server.APACHE: "Beside the virtual host with TLS, in place of what answers there now.",
        Server.HAPROXY: f"In the frontend for port {port}.",
    }
    what = f"Let port {port} lead to {home} with its first answer, before it leads anywhere else (RFC 6797, 7.2)."
    return Change(what, lines, notes, tls=False)
