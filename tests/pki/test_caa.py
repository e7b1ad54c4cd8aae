"""CAA values by the grammar of RFC 8659, 4.2, and the meaning of a record set for plain names and wildcards."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pki.caa import CaaRecord, Grant, Issuance, issuance, parse_issue

URI = "https://ca.example.net/acct/1"

WELL_FORMED: list[tuple[str, Grant]] = [
    ("ca.example.net", Grant("ca.example.net")),
    ("CA.Example.NET", Grant("ca.example.net")),
    (" \tca.example.net \t", Grant("ca.example.net")),
    ("ca", Grant("ca")),
    ("1.2-3--4.x", Grant("1.2-3--4.x")),
    (";", Grant("")),
    ("", Grant("")),
    (" ", Grant("")),
    (" ; ", Grant("")),
    ("ca.example.net;", Grant("ca.example.net")),
    ("ca.example.net ; ", Grant("ca.example.net")),
    ("; account=230123", Grant("", (("account", "230123"),))),
    ("ca.example.net; account=230123", Grant("ca.example.net", (("account", "230123"),))),
    ("ca.example.net;a=1;b=2", Grant("ca.example.net", (("a", "1"), ("b", "2")))),
    ("ca.example.net ; A = 1 ; b = ", Grant("ca.example.net", (("a", "1"), ("b", "")))),
    ("ca.example.net; a=b=c", Grant("ca.example.net", (("a", "b=c"),))),
    ("ca.example.net; a-b=!~", Grant("ca.example.net", (("a-b", "!~"),))),
    (f"ca.example.net; accounturi={URI}", Grant("ca.example.net", (("accounturi", URI),))),
    (
        f"ca.example.net; validationmethods=dns-01,ca-foo; accounturi={URI}",
        Grant("ca.example.net", (("validationmethods", "dns-01,ca-foo"), ("accounturi", URI))),
    ),
]

MALFORMED = [
    "ca.example.net.",
    ".ca.example.net",
    "ca..example.net",
    "-ca.example.net",
    "ca-.example.net",
    "ca_1.example.net",
    "ca.example.net ca.example.org",
    "ca.example.net, ca.example.org",
    "https://ca.example.net",
    "ca.example.net account=1",
    "ca.example.net; account",
    "ca.example.net; =1",
    "ca.example.net; a=1;",
    "ca.example.net; a=1;;b=2",
    "ca.example.net;;a=1",
    "ca.example.net; a=1 2",
    "ca.example.net; a_b=1",
    "ca.example.net; a-=1",
    "%%%%%",
    "ca.example.net\n",
    "ca.exämple.net",
    '"ca.example.net"',
]
"""By the grammar: a last `;` with nothing behind it may follow the domain, and no parameter."""

UNSATISFIABLE: list[tuple[str, str]] = [
    (f"accounturi={URI}; accounturi={URI}", "accounturi more than once"),
    (f"accounturi={URI}; AccountURI={URI}2", "accounturi more than once"),
    ("accounturi=", "accounturi is not a URI"),
    ("accounturi=1234", "accounturi is not a URI"),
    ("validationmethods=dns-01; validationmethods=http-01", "validationmethods more than once"),
    ("validationmethods=", "validationmethods names no method"),
    ("validationmethods=dns-01,", "validationmethods names no method"),
    ("validationmethods=,dns-01", "validationmethods names no method"),
    ("validationmethods=dns_01", "validationmethods names no method"),
]
"""RFC 8657, 3 and 4: invalid or more than once, and the record allows nobody."""


@pytest.mark.parametrize(("value", "grant"), WELL_FORMED, ids=repr)
def test_reads_what_fits_the_grammar(value: str, grant: Grant) -> None:
    assert parse_issue(value) == grant


@pytest.mark.parametrize("value", MALFORMED, ids=repr)
def test_what_does_not_fit_it_allows_nobody(value: str) -> None:
    """RFC 8659, 4.2: it is treated like an empty issuer."""
    assert parse_issue(value) == Grant("", wrong="malformed")


@pytest.mark.parametrize(("parameters", "wrong"), UNSATISFIABLE)
def test_parameters_that_no_account_can_meet_allow_nobody(parameters: str, wrong: str) -> None:
    grant = parse_issue(f"ca.example.net; {parameters}")
    assert (grant.issuer, grant.wrong) == ("", wrong)


def records(*texts: str) -> list[CaaRecord]:
    """Each `flags tag value`."""
    split = [text.split(" ", 2) for text in texts]
    return [CaaRecord(int(flags), tag, value) for flags, tag, value in split]


A, B = frozenset({"a.example"}), frozenset({"b.example"})

MEANINGS: list[tuple[str, list[str], tuple[bool, bool], tuple[bool, bool]]] = [
    # what it is, records, whether A may issue for the (name, wildcard), whether B may
    ("no records", [], (True, True), (True, True)),
    ("one CA", ["0 issue a.example"], (True, True), (False, False)),
    ("two CAs", ["0 issue a.example", "0 issue b.example"], (True, True), (True, True)),
    ("nobody", ["0 issue ;"], (False, False), (False, False)),
    ("nobody beside one", ["0 issue ;", "0 issue a.example"], (True, True), (False, False)),
    ("wildcards by another", ["0 issue a.example", "0 issuewild b.example"], (True, False), (False, True)),
    ("wildcards by nobody", ["0 issue a.example", "0 issuewild ;"], (True, False), (False, False)),
    ("issuewild alone", ["0 issuewild a.example"], (True, True), (True, False)),
    ("a malformed issuewild hides issue", ["0 issue a.example", "0 issuewild %"], (True, False), (False, False)),
    ("iodef alone", ["0 iodef mailto:x@a.example"], (True, True), (True, True)),
    ("critical iodef", ["128 iodef mailto:x@a.example"], (True, True), (True, True)),
    ("issuemail is about other certificates", ["0 issuemail ;"], (True, True), (True, True)),
    ("critical issue", ["128 issue a.example"], (True, True), (False, False)),
    ("an unknown tag", ["0 tbs x", "0 issue a.example"], (True, True), (False, False)),
    ("an unknown tag alone", ["0 tbs x"], (True, True), (True, True)),
    ("a critical unknown tag", ["128 tbs x", "0 issue a.example"], (False, False), (False, False)),
    ("a critical unknown tag alone", ["128 tbs x"], (False, False), (False, False)),
    ("a critical reserved tag", ["128 policy x", "0 issue a.example"], (False, False), (False, False)),
    ("other bits are not critical", ["127 tbs x", "1 tbs x", "0 issue a.example"], (True, True), (False, False)),
    ("all bits are critical too", ["255 tbs x"], (False, False), (False, False)),
    ("malformed alone", ["0 issue a.example."], (False, False), (False, False)),
    ("malformed beside one", ["0 issue %", "0 issue a.example"], (True, True), (False, False)),
    ("a parameter is the CA's affair", ["0 issue a.example; policy=ev"], (True, True), (False, False)),
    ("bound to an account", [f"0 issue a.example; accounturi={URI}"], (True, True), (False, False)),
    (
        "bound to two accounts",
        [f"0 issue a.example; accounturi={URI}; accounturi={URI}"],
        (False, False),
        (False, False),
    ),
    ("bound to a method", ["0 issue a.example; validationmethods=dns-01"], (True, True), (False, False)),
    ("a parent of the CA's domain", ["0 issue example"], (False, False), (False, False)),
    ("a child of the CA's domain", ["0 issue x.a.example"], (False, False), (False, False)),
]


@pytest.mark.parametrize(
    ("texts", "may_a", "may_b"), [case[1:] for case in MEANINGS], ids=[case[0] for case in MEANINGS]
)
def test_who_may_issue(texts: list[str], may_a: tuple[bool, bool], may_b: tuple[bool, bool]) -> None:
    for domains, expected in ((A, may_a), (B, may_b)):
        got = tuple(issuance(records(*texts), wildcard=wildcard).allows(domains) for wildcard in (False, True))
        assert got == expected


def test_bytes_outside_ascii_are_malformed_even_where_their_escapes_would_fit() -> None:
    record = CaaRecord(0, "issue", r"ca.example.net; a=\xe9", ascii_only=False)
    assert issuance([record]) == Issuance(restricted=True, grants=(Grant("", wrong="malformed"),))


@pytest.mark.parametrize("tag", ["issuemail", "issuevmc", "contactemail", "contactphone"])
def test_a_critical_tag_that_not_every_ca_has_to_know_leaves_it_open(tag: str) -> None:
    """Baseline Requirements, 3.2.2.8: issue, issuewild and iodef are processed by all, others may be."""
    allowed = issuance(records(f"128 {tag} x", "0 issue a.example"))
    assert (allowed.allows(A), allowed.allows(B), allowed.doubtful) == (True, False, (tag,))
    assert issuance(records(f"0 {tag} x", "128 iodef mailto:x@a.example", "128 issue a.example")).doubtful == ()


@pytest.mark.parametrize(("flags", "doubtful"), [(1, True), (127, True), (2, False), (64, False), (126, False)])
def test_the_bit_that_many_take_for_the_critical_one_leaves_it_open(flags: int, doubtful: bool) -> None:
    """Boulder, va/caa.go: Let's Encrypt takes the lowest bit for critical too; RFC 8659, 4.1 has it ignored."""
    allowed = issuance(records(f"{flags} tbs x", "0 issue a.example"))
    assert (allowed.allows(A), allowed.critical, bool(allowed.doubtful)) == (True, (), doubtful)
    assert issuance(records(f"{flags} iodef mailto:x@a.example", f"{flags} issue a.example")).doubtful == ()


def test_the_critical_tags_that_nobody_knows_are_named() -> None:
    assert issuance(records("128 tbs x", "128 tbs y", "128 auth z")).critical == ("tbs", "auth")


@pytest.mark.parametrize(
    "value", [f"{' ' * 60_000}!", f"a.example;x={' ' * 60_000}! !", f"a.example;{'x=1;' * 15_000}", "a-" * 30_000 + "!"]
)
def test_the_longest_value_takes_no_time(value: str) -> None:
    """Zones belong to others, and a record can have 64 KiB. Nothing else runs while it is parsed."""
    started = time.process_time()
    assert parse_issue(value) == Grant("", wrong="malformed")
    assert time.process_time() - started < 1


@given(st.text())
def test_any_value_is_read_and_names_a_domain_or_nobody(value: str) -> None:
    grant = parse_issue(value)
    assert not grant.issuer or grant.issuer in value.lower()
    assert grant.issuer == grant.issuer.strip(" .-;=")


@given(
    st.lists(
        st.builds(CaaRecord, st.integers(0, 255), st.sampled_from(["issue", "issuewild", "iodef", "x"]), st.text())
    )
)
def test_records_that_are_added_never_allow_more_to_those_who_were_not_named(found: list[CaaRecord]) -> None:
    one = CaaRecord(0, "issue", "b.example")
    assert not issuance([*found, one]).allows(A) or "a.example" in " ".join(r.value.lower() for r in found)
