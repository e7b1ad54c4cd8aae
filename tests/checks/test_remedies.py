"""Properties of the remedy of every check: it raises no error, is not empty, and is safe to show."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Outcome
from exporter.model import Facts, Protocol, Remedy, TrustFailure, Verdict
from exporter.moments import Now
from exporter.remedies.servers import Server
from tests.remedies.examples import BY_NAME, EXAMPLES, Example, demand, derived
from tests.support.facts import certificate, facts, handshake_facts, http_everywhere, steady, watched
from tests.support.targets import NOW

ASKED: Mapping[str, Mapping[str, object]] = {
    **{example.check: example.asked for example in EXAMPLES},
    "certificate_valid": {},
    "certificate_expiry": {"min_days": 30, "min_lifetime_share": 0.3},
    "certificate_key": {"allowed": ["EC"], "min_ec_bits": 384},
    "certificate_signature": {"forbidden": ["sha1"]},
    "certificate_lifetime": {"max_days": 90},
    "certificate_chain": {"complete": True, "ordered": True, "allow_surplus": False, "allow_root": False},
    "server_software": {"maintained": True},
    "mta_sts": {"records": ["mta_sts"]},
    "mta_sts_policy": {"modes": ["enforce"]},
    "grade": {"minimum": "A"},
    "clients": {"can_connect": ["firefox-62"]},
    **{check: {"required": True} for check in ("caa", "caa_issuer", "dnssec", "dane")},
}
"""A demand of each check; the own tests of a check that is not here look at its remedy."""

EVIDENCE = st.dictionaries(
    st.sampled_from(["TLSv1.2", "SSLv2", "missing", "accepted", "drown", "robot", "logjam", "EC abababab", "max_age"]),
    st.lists(st.sampled_from(["TLSv1.2", "TLS_RSA_WITH_RC4_128_SHA", "SSLv2 0x010080", "fail: 1", "sha1"])).map(tuple),
)
PROTOCOLS = st.sampled_from(["https", "smtp", "imaps", "ldap", "tls"])


def test_where_a_remedy_has_nothing_to_say_it_says_what_was_seen() -> None:
    silent = replace(BY_NAME["caa"], remedy=lambda _case, _demand, _outcome: (Remedy(Server.NGINX, (), ""),))
    outcome = Outcome(Verdict.FAIL, "there are no CAA records")
    made = silent.advise(Case(watched(), Facts(), Now(NOW)), demand("caa", required=True), outcome)
    assert made == (Remedy(Server.ANY, (), "Set it as asked for; seen was: there are no CAA records."),)


@pytest.mark.parametrize("check", ["hsts_preload", "extensions"])
def test_a_remedy_without_evidence_says_what_was_seen(check: str) -> None:
    (made,) = BY_NAME[check].advise(
        Case(watched(), Facts(), Now(NOW)), demand(check, **ASKED[check]), Outcome(Verdict.FAIL, "fails")
    )
    assert made.note == "Set it as asked for; seen was: fails."


def fit(made: tuple[Remedy, ...]) -> bool:
    """Each has something to say, in one line each."""
    texts = [text for one in made for text in (*one.lines, one.note)]
    said = all(one.lines or one.note for one in made)
    known = all(one.server in set(Server) for one in made)
    return bool(made) and said and known and all(text.isprintable() and text == text.rstrip() for text in texts)


CHAIN = certificate(failures=tuple(TrustFailure), trusted=False, complete=False, surplus=(0, 9), path=())


@steady
@given(check=st.sampled_from(sorted(ASKED)), seen=handshake_facts(), evidence=EVIDENCE, protocol=PROTOCOLS)
def test_nothing_is_raised_whatever_was_seen(
    check: str, seen: HandshakeFacts, evidence: Mapping[str, tuple[str, ...]], protocol: str
) -> None:
    asked, outcome = demand(check, **ASKED[check]), Outcome(Verdict.FAIL, "fails", evidence)
    for known in (facts(seen), facts(seen, CHAIN, http_everywhere("max-age=1", "max-age=2"))):
        case = derived(Case(watched(protocol=protocol, mail_domain="test.example"), known, Now(NOW)))
        assert fit(BY_NAME[check].advise(case, asked, outcome))


@pytest.mark.parametrize("check", ASKED)
def test_without_facts_there_is_still_something_to_say(check: str) -> None:
    case, asked = Case(watched(), Facts(), Now(NOW)), demand(check, **ASKED[check])
    assert fit(BY_NAME[check].advise(case, asked, Outcome(Verdict.FAIL, "fails")))


@steady
@given(seen=handshake_facts())
def test_no_protocol_is_turned_on_that_is_neither_accepted_nor_required_nor_the_last_resort(
    seen: HandshakeFacts,
) -> None:
    asked = demand("protocols", required=["TLSv1.1"], forbidden=["SSLv2", "SSLv3"])
    made = BY_NAME["protocols"].advise(Case(watched(), facts(seen), Now(NOW)), asked, Outcome(Verdict.FAIL, "fails"))
    line = next(one.lines[0] for one in made if one.server == Server.NGINX)
    on = {Protocol.TLS1_0 if name == "TLSv1" else Protocol(name) for name in line.rstrip(";").split()[1:]}
    unknown = {one for one in (Protocol.TLS1_2, Protocol.TLS1_3) if seen.protocols.get(one) is None}
    assert on <= {*seen.accepted, *unknown, Protocol.TLS1_1} - {Protocol.SSL2, Protocol.SSL3}
    assert on >= ({*seen.accepted} | {Protocol.TLS1_1}) - {Protocol.SSL2, Protocol.SSL3}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_examples_fail_and_their_remedies_are_fit(example: Example) -> None:
    case = derived(Case(watched(), example.facts, Now(NOW)))
    asked = demand(example.check, **example.asked)
    outcome = BY_NAME[example.check].judge(case, asked)
    assert outcome.verdict is Verdict.FAIL
    assert fit(BY_NAME[example.check].advise(case, asked, outcome))
