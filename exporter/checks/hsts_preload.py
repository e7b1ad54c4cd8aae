"""Check `hsts_preload`: the host meets the rules of the preload list that browsers ship with.

The rules are those of its submission form (https://hstspreload.org, in code github.com/chromium/hstspreload), which
looks at ports 443 and 80 of a registered domain. Two rules are not checked here. Whether the host is a registered
domain depends on the public suffix list, which changes every week. The host `www.` of the domain is another target.
Both rules are unknown unless the policy confirms them: without that the check fails or is unknown, and never passes.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts
from exporter.facts.hsts import Hsts
from exporter.facts.http import MAX_FIELD_CHARACTERS, REDIRECTS, HttpFacts, HttpResponse
from exporter.judging.check import Check, Demand, Outcome, not_applicable, unknown
from exporter.model import Reason, Remedy, Verdict
from exporter.remedies.http import header_change, hsts_value, redirect_change
from exporter.remedies.servers import Change, remedies

MIN_MAX_AGE_SECONDS = 31_536_000
"""One year, in seconds (header.go of hstspreload)."""
_MOST_SECONDS = 2**64 - 1
"""A longer number is an error to header.go."""
_MAX_AGE = re.compile(r"max-age=0*([0-9]{1,20})")

Told = tuple[bool | None, str]
"""Whether a rule is met, None where that is not known; and why."""


class HstsPreloadDemand(Demand):
    """The rules that the operator confirms because they are not checked."""

    vouched_for: frozenset[Literal["registrable_domain", "www_host"]] = frozenset()


def _seen(case: Case) -> HttpFacts | None:
    """The responses of the host itself; None where another host was asked for at its address."""
    return case.facts.get(HttpFacts) if case.target.http.host in {None, case.target.host} else None


def _first(case: Case) -> HttpResponse | None:
    """The response that the list would examine."""
    facts = _seen(case)
    return facts.first if facts is not None and case.target.http.path == "/" else None


def _of_policy(rule: Callable[[Hsts, HttpResponse], Told]) -> Callable[[Case], Told]:
    def look(case: Case) -> Told:
        response = _first(case)
        if response is None:
            return None, "the response to / was not seen"
        return (False, "no valid HSTS header") if response.hsts is None else rule(response.hsts, response)

    return look


def _max_age(_hsts: Hsts, response: HttpResponse) -> Told:
    """The max-age as the list reads it.

    The list knows no quotes (a semicolon within quotes separates) and no blanks around the equals sign.
    """
    field = response.hsts_fields[0]
    if len(field) >= MAX_FIELD_CHARACTERS:
        return None, "the header is too long to be kept"
    directives = [part.strip().lower() for part in field.split(";")]
    ages = [_MAX_AGE.fullmatch(one) for one in directives if one.startswith("max-age")]
    seconds = int(ages[0][1]) if ages and ages[0] else None
    if seconds is None or None in ages or seconds > _MOST_SECONDS:
        return False, "max-age is not written as the list takes it, max-age=NUMBER"
    return seconds >= MIN_MAX_AGE_SECONDS, f"{seconds}, at least {MIN_MAX_AGE_SECONDS}"


def _one_field(_hsts: Hsts, response: HttpResponse) -> Told:
    return len(response.hsts_fields) == 1, f"{len(response.hsts_fields)} header fields"


def _registrable(case: Case) -> Told:
    host = case.target.host
    if "." not in host:
        return False, "a top-level domain"
    return (False, "not a domain name") if "_" in host else (None, "the public suffix list is not looked at")


def _www(_case: Case) -> Told:
    return None, "the www host is not looked at"


def _certificate(case: Case) -> Told:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return None, "the certificate was not seen"
    first = facts.first.at(case.now)
    if first.trusted is False or first.hostname_match is False:
        return False, "not valid"
    if first.trusted is None or first.hostname_match is None or case.target.ca_file is not None:
        return None, "not known whether browsers trust it"
    return True, "valid"


def _no_sha1(case: Case) -> Told:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return None, "the certificate was not seen"
    hashes = [one.signature_hash for one in facts.first.linked if not one.self_signed]
    if "sha1" in hashes:
        return False, "a certificate of the chain is signed with SHA-1"
    return (None, "a signature has an unknown hash") if None in hashes else (True, "no SHA-1")


def _redirect(case: Case) -> Told:
    """Whether port 80 redirects to https.

    The list accepts a host without a server on port 80. Where the port only does not answer the exporter, it is not
    known.
    """
    facts = _seen(case)
    plain = facts.http_redirect if facts else None
    if plain is None or plain.port != 80:
        return None, "port 80 was not looked at"
    if plain.reason is Reason.CONNECT_REFUSED:
        return True, "nobody listens on port 80"
    if plain.redirects_to_https is None:
        return None, f"port 80: {plain.reason}"
    # The list compares names as written: a name with a final dot is another name.
    same = plain.redirects_to_https and urlsplit(plain.location or "").hostname == case.target.host
    return same, plain.location or f"status {plain.status}"


def _redirect_target(case: Case) -> Told:
    """Whether the first redirect target of port 80 has the header; known where it is the page that was asked for."""
    facts = _seen(case)
    met, why = _redirect(case)
    if facts is None or not met or facts.http_redirect is None or facts.http_redirect.location is None:
        return met, why
    if urlsplit(facts.http_redirect.location).path not in {"", "/"} or urlsplit(facts.http_redirect.location).query:
        return None, f"{facts.http_redirect.location} was not looked at"
    told = [rule(case) for rule in _HEADER.values()]
    return (None if any(one is None for one, _ in told) else all(one for one, _ in told)), "the response to /"


def _redirects(case: Case) -> Told:
    """Whether redirects from https stay on TLS, and are at most three. The exporter does not follow them."""
    response = _first(case)
    if response is None:
        return None, "the response to / was not seen"
    locations = response.values("location")
    if response.status not in REDIRECTS or not locations:
        return True, "no redirect"
    if locations[0].lower().startswith("http:"):
        return False, locations[0]
    return None, f"{locations[0]} was not followed"


_HEADER: Mapping[str, Callable[[Case], Told]] = {
    "one_header_field": _of_policy(_one_field),
    "max_age": _of_policy(_max_age),
    "include_subdomains": _of_policy(lambda hsts, _: (hsts.include_subdomains, "includeSubDomains")),
    "preload": _of_policy(lambda hsts, _: (hsts.preload, "preload")),
}
RULES: Mapping[str, Callable[[Case], Told]] = {
    "registrable_domain": _registrable,
    "certificate": _certificate,
    "no_sha1": _no_sha1,
    **_HEADER,
    "redirect_from_http": _redirect,
    "header_after_redirect": _redirect_target,
    "secure_redirects": _redirects,
    "www_host": _www,
}


def _judge(case: Case, demand: HstsPreloadDemand) -> Outcome:
    target = case.target
    if target.protocol != "https" or target.port != 443 or target.host_is_ip:
        return not_applicable("the preload list is for domains with https on port 443")
    if not case.facts.get(HttpFacts) and not case.facts.get(CertificateFacts):
        return unknown("there was nothing to look at")
    told = {name: rule(case) for name, rule in RULES.items()}
    told |= {name: (True, "the policy vouches for it") for name in demand.vouched_for if told[name][0] is None}
    verdict, names = _worst(told)
    words = {True: "pass", False: "fail", None: "unknown"}
    evidence = {name: (f"{words[met]}: {why}",) for name, (met, why) in told.items()}
    return Outcome(verdict, names, evidence)


def _worst(told: Mapping[str, Told]) -> tuple[Verdict, str]:
    broken = [name for name, (met, _) in told.items() if met is False]
    if broken:
        return Verdict.FAIL, f"not ready for the preload list: {', '.join(broken)}"
    dark = [name for name, (met, _) in told.items() if met is None]
    if dark:
        return Verdict.UNKNOWN, f"not known: {', '.join(dark)}"
    return Verdict.PASS, "ready for the preload list"


_OF_THE_HEADER = frozenset({*_HEADER, "header_after_redirect"})
_OTHER_RULES = {
    "registrable_domain": "Submit the domain that was registered and not the top-level domain above it.",
    "certificate": "Get a certificate that browsers trust, for this name.",
    "no_sha1": "Replace the certificates that are signed with SHA-1.",
    "secure_redirects": "Let / lead to https only.",
}
"""Rules of the preload list that no line of configuration here fixes -> what to do."""


def _remedy(case: Case, _demand: HstsPreloadDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The header that the list demands, the redirect where that is missing, and a note about the other rules."""
    broken = {name for name, texts in outcome.evidence.items() if any(text.startswith("fail") for text in texts)}
    changes: list[Change] = []
    if _OF_THE_HEADER & broken:
        changes.append(header_change(hsts_value(case, MIN_MAX_AGE_SECONDS, preload=True)))
    if "redirect_from_http" in broken:
        changes.append(redirect_change(case.target))
    changes += [Change(note) for name, note in _OTHER_RULES.items() if name in broken]
    return remedies(case, *changes)


CHECK = Check(
    name="hsts_preload",
    why="HSTS protects from the second visit on. With the preload list, the first visit is protected, too.",
    demand=HstsPreloadDemand,
    verdict=_judge,
    asks=lambda _demand: "all that the preload list of browsers asks for",
    remedy=_remedy,
)
