"""Whether the addresses of one target agree: what the last scan saw at each, fact by fact. Pure.

Only what the last scan saw is compared. Older facts of one address beside newer ones of another would pass a change off
as a difference between the two.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from exporter.derived.clients import DERIVATION as CLIENTS
from exporter.derived.registry import DERIVATIONS
from exporter.model import Disagreement, Report
from exporter.probes.registry import PROBES

NOT_COMPARED = frozenset(
    {
        *("notes", "contradictions", "hellos"),  # what stood in the way of one scan, and what it took
        *("dh_primes", "plain_chains"),  # seen in passing: nothing says that there are no others
        "attacks_tried",  # when and how; what it comes to is in "vulnerabilities"
        *("dns", "tlsa", "mta_sts", "mta_sts_policy"),  # of the name, not of an address
        "caa_issuer",  # it follows from that and from chains, of which some are seen in passing
        "http.status",  # a machine that is drained or busy says so, and is no less secure
        # What matters of these has keys of its own; the rest is dates, cookies and addresses of pages.
        *("http.responses", "http.http_redirect.status", "http.http_redirect.location"),
        *("http.http_redirect.reason", "http.http_redirect.detail"),
        # Texts have names of machines and times of day in them, and not every machine gave each answer: what is
        # compared is the server itself.
        *("software.shown", "software.products", "software.maintained", "software.ends"),
        # They say why `trusted` and `hostname_match` are what they are, and less when one of these is not known.
        *("certificate.failures", "certificate.trust_detail"),
        # Beside the first, which is compared, chains are seen in passing; and machines staple when they come to it.
        *("certificate.deployments", "certificate.deployments_complete"),
    }
)
"""What may differ between good machines of one service."""

OF_ALL_CHAINS = frozenset(
    {"certificate.chain_not_after", "certificate.hostname_match", "certificate.path_not_after", "certificate.trusted"}
)
"""Depend on every chain of an address: not compared where some may not have been seen."""

_INCOMPLETE, _COMPLETE = "_incomplete", "complete"
"""`cipher_suites_incomplete` names the parts of `cipher_suites` that are not known to the end; a fact that is one list
says so itself."""

MAX_PARTS = 8
MAX_ITEMS = 8
MAX_CHARACTERS = 200
"""Of one fact, of one list, of one text: the report of each address has it all."""

Value = str | frozenset[str]
"""A part of a fact as text; a list without its order, which is a fact of its own where it matters."""


def disagreements(reports: Sequence[Report]) -> tuple[Disagreement, ...] | None:
    """The facts that are not the same at every address, or None when no fact is known of two.

    What is not known of an address is left out: it disagrees with nobody.
    """
    seen: dict[str, dict[str, dict[str, Value]]] = {}
    for report in reports:
        if report.address is not None:
            for fact, part, value in _known(report):
                seen.setdefault(fact, {}).setdefault(part, {})[report.address] = value
    found, compared = [], False
    for fact, parts in seen.items():
        several = {part: values for part, values in parts.items() if len(values) > 1}
        compared = compared or bool(several)
        differing = {part: values for part, values in several.items() if len(set(values.values())) > 1}
        if differing:
            found.append(Disagreement(fact, _said(differing)))
    return tuple(found) if compared else None


def _known(report: Report) -> Iterator[tuple[str, str, Value]]:
    """Fact, part of it and value, of all that is compared."""
    for document in _documents(report):
        for fact, content in document.items():
            if fact in NOT_COMPARED or fact.endswith(_INCOMPLETE):
                continue
            if isinstance(content, Mapping) and content.get(_COMPLETE) is False:
                continue
            left_out = NOT_COMPARED
            if isinstance(content, Mapping) and content.get("deployments_complete") is False:
                left_out |= OF_ALL_CHAINS
            incomplete = cast("Sequence[str]", document.get(f"{fact}{_INCOMPLETE}", ()))
            for part, value in _parts(content):
                known = part not in incomplete and (value or fact != "cipher_suites")  # an accepted protocol has some
                if known and f"{fact}.{part}" not in left_out:
                    yield fact, part or fact, value


def _documents(report: Report) -> Iterator[Mapping[str, object]]:
    """Of what the last scan saw, and of what follows from facts of which the last scan saw the first.

    Not what becomes of clients: it follows from what is compared, and is long to work out.
    """
    for probe in PROBES:
        facts = report.result.facts.get(probe.kind)
        if facts is not None and report.facts.seen_at(probe.kind) is not None:
            yield probe.shape.document(facts)
    if len(report.result.facts):
        for derivation in DERIVATIONS:
            derived = report.facts.get(derivation.shape.kind)
            if derived is not None and derivation is not CLIENTS:
                yield derivation.shape.document(derived)


def _parts(content: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Value]]:
    if isinstance(content, Mapping):
        for key, below in content.items():
            yield from _parts(below, (*path, str(key)))
    elif isinstance(content, Sequence) and not isinstance(content, str):
        yield ".".join(path), frozenset(map(_text, content))
    elif content is not None:
        yield ".".join(path), _text(content)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _said(differing: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, str]]:
    """What each address said of the first few parts; of a list only what not all have."""
    said: dict[str, dict[str, str]] = {}
    for part, values in list(differing.items())[:MAX_PARTS]:
        lists = [value for value in values.values() if isinstance(value, frozenset)]
        shared = frozenset.intersection(*lists) if lists else frozenset()
        for address, value in values.items():
            shown = value if isinstance(value, str) else _listed(sorted(value - shared))
            said.setdefault(address, {})[part] = shown[:MAX_CHARACTERS]
    return said


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - MAX_ITEMS} more" if len(items) > MAX_ITEMS else ""
    return ", ".join(items[:MAX_ITEMS]) + more
