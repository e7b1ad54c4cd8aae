"""Whether addresses agree: facts that must not differ, facts that may, and unknown facts."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from exporter.agreement import MAX_CHARACTERS, MAX_ITEMS, MAX_PARTS, disagreements
from exporter.derived.clients import DERIVATION as CLIENTS
from exporter.derived.registry import SHOWN
from exporter.facts.form import Key, entries
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts, PlainAnswer
from exporter.model import Addresses, CipherOrder, Disagreement, Facts, Protocol, Reason, Report, TrustFailure
from exporter.probes.base import Probe
from exporter.probes.handshake import PROBE
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GCM_128,
    GOOD_SUITES,
    RC4,
    REDIRECTS,
    caa,
    certificate,
    certificates,
    deployment,
    facts,
    good_facts,
    handshake,
    handshake_facts,
    http,
    http_everywhere,
    issuer,
    report,
    response,
    served,
    steady,
    watched,
)
from tests.support.targets import NOW

HERE, THERE = "192.0.2.1", "2001:db8::1"
BAD = deployment(trusted=False, hostname_match=False, not_after=NOW)
TARGET = watched(addresses=Addresses.ALL)


def at(address: str | None, seen: Facts | None = None) -> Report:
    one = report(seen, target=TARGET)
    return replace(one, result=replace(one.result, address=address))


def differences(here: object, there: object) -> tuple[Disagreement, ...] | None:
    return disagreements([at(HERE, facts(here)), at(THERE, facts(there))])


Said = Mapping[str, Mapping[str, str]]


def both(part: str, here: str, there: str) -> Said:
    return {HERE: {part: here}, THERE: {part: there}}


TLS1_2 = {Protocol.TLS1_2: (GCM, GCM_128)}


@pytest.mark.parametrize(
    ("here", "there", "fact", "said"),
    [
        (
            handshake(TLS1_2),
            handshake({**TLS1_2, Protocol.TLS1_1: (CBC_RSA,)}),
            "protocols",
            both("TLSv1.1", "false", "true"),
        ),
        (
            handshake({Protocol.TLS1_2: (GCM, CBC_RSA)}),
            handshake({Protocol.TLS1_2: (RC4, GCM, GCM_128)}),
            "cipher_suites",
            both("TLSv1.2", CBC_RSA, f"{GCM_128}, {RC4}"),
        ),
        (handshake(TLS1_2), handshake({Protocol.TLS1_2: (GCM,)}), "cipher_suites", both("TLSv1.2", GCM_128, "")),
        (
            handshake(TLS1_2),
            handshake(TLS1_2, order={Protocol.TLS1_2: CipherOrder.CLIENT}),
            "cipher_order",
            both("TLSv1.2", "server", "client"),
        ),
        (
            handshake(compression=False),
            handshake(compression=True),
            "compression",
            both("compression", "false", "true"),
        ),
        (
            certificate(),
            certificate(fingerprint_sha256="cd" * 32),
            "certificate",
            both("fingerprint_sha256", "ab" * 32, "cd" * 32),
        ),
        (
            certificate(),
            certificate(chain=(served(), issuer(), issuer())),
            "certificate",
            both("chain_length", "2", "3"),
        ),
        (http("max-age=1"), http(), "http", both("hsts_fields", "max-age=1", "")),
        (
            *(http_everywhere("max-age=1"), http_everywhere("max-age=1", on_errors=())),
            *("http", both("hsts_on_error_responses", "true", "false")),
        ),
        (
            *(http_everywhere(), http_everywhere(plain=replace(REDIRECTS, redirects_to_https=False))),
            *("http", both("http_redirect.redirects_to_https", "true", "false")),
        ),
    ],
)
def test_a_fact_that_differs_is_named_with_what_each_said(here: object, there: object, fact: str, said: Said) -> None:
    found = differences(here, there) or ()
    assert Disagreement(fact, said) in found
    assert disagreements([at(THERE, facts(there)), at(HERE, facts(here))]) is not None


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (handshake(), handshake(notes=("one hello was not answered",))),
        (handshake(TLS1_2), handshake({Protocol.TLS1_2: (GCM_128, GCM)})),
        (certificate(), certificate(failures=(TrustFailure.EXPIRED,), trust_detail="expired")),
        (http("max-age=1"), http("max-age=1", status=503)),
        (http_everywhere("max-age=1", plain=None), http("max-age=1")),
        (HttpFacts((response(others={"date": "today"}),)), HttpFacts((response(others={"date": "tomorrow"}),))),
        (http_everywhere(plain=REDIRECTS), http_everywhere(plain=replace(REDIRECTS, status=302, location="https://b"))),
        (http_everywhere(plain=REDIRECTS), http_everywhere(plain=PlainAnswer(80, reason=Reason.CONNECT_REFUSED))),
    ],
    ids=[
        *("notes", "order in which suites were found", "why a chain is not trusted", "status"),
        *("responses that did not come", "other fields", "where exactly it redirects", "no port 80"),
    ],
)
def test_what_may_differ_between_good_machines_is_not_compared(here: object, there: object) -> None:
    assert differences(here, there) == ()


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (handshake(), handshake(open_protocols=[Protocol.TLS1_1])),
        (handshake(TLS1_2), handshake({Protocol.TLS1_2: (GCM,)}, incomplete=[Protocol.TLS1_2])),
        (handshake(TLS1_2), handshake({Protocol.TLS1_2: ()})),
        (handshake(), handshake(compression=None)),
        (handshake(), handshake(order=dict.fromkeys(GOOD_SUITES, None))),
        (certificate(), certificate(trusted=None, failures=(), trust_detail="no trust store")),
        (certificates(deployment(), BAD), certificates(deployment(), complete=False)),
    ],
    ids=[
        "protocol",
        "suites that may lack some",
        "suites of which there are none",
        "compression",
        "order",
        "trust",
        "other chains",
    ],
)
def test_what_is_not_known_disagrees_with_nobody(here: object, there: object) -> None:
    assert differences(here, there) == ()


def test_a_good_target_agrees_with_itself() -> None:
    assert disagreements([at(HERE), at(THERE), at("192.0.2.3")]) == ()


@pytest.mark.parametrize(
    "reports",
    [
        [],
        [at(None)],
        [at(HERE)],
        [at(HERE), at(THERE, Facts())],
        [at(HERE, facts(handshake())), at(THERE, facts(certificate()))],
        [at(HERE, facts(caa())), at(THERE, facts(caa(("issue", "ca.test.example"))))],
    ],
    ids=[
        "nothing",
        "no address",
        "one address",
        "one that was not reached",
        "no fact of two",
        "only facts of the name",
    ],
)
def test_without_a_fact_that_is_known_of_two_nothing_is_said(reports: list[Report]) -> None:
    assert disagreements(reports) is None


def test_older_facts_are_not_held_against_newer_ones() -> None:
    """One address could not be reached this time, and the other has changed since."""
    changed, unreached = at(HERE, facts(handshake({Protocol.TLS1_2: (GCM,)}))), at(THERE, Facts())
    unreached = replace(unreached, facts=good_facts(NOW - timedelta(hours=6)))
    assert disagreements([changed, unreached]) is None


def test_one_of_three_is_enough() -> None:
    found, attacks = disagreements([at(HERE), at(THERE), at("192.0.2.3", facts(handshake(compression=True)))]) or ()
    assert attacks.said["192.0.2.3"] == {"crime": "true"}
    assert found.said == {
        HERE: {"compression": "false"},
        THERE: {"compression": "false"},
        "192.0.2.3": {"compression": "true"},
    }


def test_what_is_said_is_bounded() -> None:
    suites = tuple(f"TLS_MADE_UP_{number:03}" for number in range(300))
    different = dict.fromkeys(("subject", "issuer", "serial", "key_algorithm"), "x" * 999)
    several = {"key_size_bits": 1, "signature_algorithm": "y", "hostname_match": False}
    more = {"trusted": False, "fingerprint_sha256": "z", "subject_alternative_names": ()}
    here = facts(handshake({Protocol.TLS1_2: (GCM,)}), certificate())
    there = facts(handshake({Protocol.TLS1_2: (GCM, *suites)}), certificate(**different, **several, **more))
    found = {one.fact: one.said for one in disagreements([at(HERE, here), at(THERE, there)]) or ()}
    listed = found["cipher_suites"][THERE]["TLSv1.2"]
    assert listed.startswith(f"{suites[0]}, {suites[1]}")
    assert listed.endswith(f"and {300 - MAX_ITEMS} more") or len(listed) == MAX_CHARACTERS
    assert len(found["certificate"][THERE]) == len(found["certificate"][HERE]) == MAX_PARTS
    assert max(len(text) for text in found["certificate"][THERE].values()) == MAX_CHARACTERS


def test_a_list_that_may_lack_something_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def listing(names: list[str], *, complete: bool) -> Probe[HandshakeFacts]:
        documents = iter([{"names": ["a"], "complete": True}, {"names": names, "complete": complete}])
        return replace(PROBE, shape=replace(PROBE.shape, document=lambda _facts: {"alpn": next(documents)}))

    for names, complete, expected in ((["b"], False, None), (["b"], True, both("names", "a", "b"))):
        monkeypatch.setattr("exporter.agreement.PROBES", (listing(names, complete=complete),))
        found = differences(handshake(), handshake())
        assert (found[0].said if found else None) == expected


def paths(form: type, which: Callable[[Key], bool], *above: str) -> set[str]:
    """The keys of a form, and of the forms in it, as dotted paths."""
    found: set[str] = set()
    for name, entry in entries(form).items():
        path = (*above, name)
        if which(entry.key):
            found.add(".".join(path))
        elif entry.form is not None:
            found |= paths(entry.form, which, *path)
    return found


def of_all(which: Callable[[Key], bool]) -> set[str]:
    return {path for shown in SHOWN for path in paths(shown.form, which)}


def test_what_is_not_compared_is_declared_with_the_fact() -> None:
    assert of_all(lambda key: not key.compared) == {
        *("notes", "contradictions", "hellos", "dh_primes", "plain_chains", "attacks_tried", "clients"),
        "enumerated_at",
        *("cipher_suites_incomplete", "groups_incomplete", "alpn.complete", "signature_schemes.complete"),
        *("dns", "tlsa", "mta_sts", "mta_sts_policy", "caa_issuer", "http.status", "http.responses"),
        *("http.http_redirect.status", "http.http_redirect.location"),
        *("http.http_redirect.reason", "http.http_redirect.detail"),
        *("software.shown", "software.products", "software.maintained", "software.ends"),
        *("certificate.failures", "certificate.trust_detail"),
        *("certificate.deployments", "certificate.deployments_complete"),
    }


def test_what_may_not_have_been_seen_completely_says_where_that_is_told() -> None:
    assert of_all(lambda key: key.complete is not None) == {
        *("certificate.chain_not_after", "certificate.hostname_match", "certificate.path_not_after"),
        *("certificate.trusted", "alpn.names", "signature_schemes.names"),
    }
    assert of_all(lambda key: key.incomplete is not None) == {"cipher_suites", "groups"}
    for shown in SHOWN:
        for form in (shown.form, *(entry.form for entry in entries(shown.form).values() if entry.form is not None)):
            named = {name for entry in entries(form).values() for name in (entry.key.complete, entry.key.incomplete)}
            assert named - {None} <= set(entries(form))


def test_what_takes_long_and_is_not_compared_is_not_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_facts: object) -> dict[str, object]:
        raise AssertionError

    monkeypatch.setattr(
        "exporter.agreement.DERIVATIONS", (replace(CLIENTS, shape=replace(CLIENTS.shape, document=refuse)),)
    )
    assert at(HERE).facts.get(CLIENTS.shape.kind) is not None
    assert disagreements([at(HERE), at(THERE)]) == ()


@steady
@given(handshake_facts())
def test_no_machine_disagrees_with_its_own_twin(seen: HandshakeFacts) -> None:
    assert not differences(seen, seen)
