"""CAA as a real name server has it and a real validating resolver tells it: each case with where it is written."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from dns.asyncresolver import Resolver

from exporter.derived.caa import DERIVATION, CaaState
from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import DnsFacts
from exporter.net.records import RecordResolver
from exporter.probes.caa import PROBE
from exporter.scan import Environment
from tests.support.facts import case, certificate, facts
from tests.support.targets import make_environment, make_session, make_target
from tests.support.zones import Zone, knot, silent_port, unbound

pytestmark = pytest.mark.real

URI = "https://acme.test/acct/1"
OURS, THEIRS = "letsencrypt.org", "ca.test"
"""By the first, the issuer of the certificate goes; by the other, some other CA."""

SETS: dict[str, list[str]] = {
    "@": [f'0 issue "{OURS}"'],
    "own": [f'0 issue "{OURS}"'],
    "other": [f'0 issue "{THEIRS}"'],
    "upper": ['0 ISSUE "LetsEncrypt.ORG"'],
    "nobody": ['0 issue ";"'],
    "nothing": ['0 issue ""'],
    "two": [f'0 issue "{THEIRS}"', f'0 issue "{OURS}"'],
    "nobody-and": ['0 issue ";"', f'0 issue "{OURS}"'],
    "critical": [f'128 issue "{OURS}"'],
    "unknown-tag": ['0 tbs "x"', f'0 issue "{OURS}"'],
    "unknown-alone": ['0 tbs "x"'],
    "critical-unknown": ['128 tbs "x"', f'0 issue "{OURS}"'],
    "low-bit": ['1 tbs "x"', f'0 issue "{OURS}"'],
    "low-bit-known": [f'1 issue "{OURS}"'],
    "bit-2": ['2 tbs "x"', f'0 issue "{OURS}"'],
    "all-bits": ['255 tbs "x"', f'0 issue "{OURS}"'],
    "iodef": ['0 iodef "mailto:security@signed.example"'],
    "critical-iodef": ['128 iodef "mailto:security@signed.example"'],
    "mail": ['0 issuemail ";"'],
    "critical-mail": ['128 issuemail ";"', f'0 issue "{OURS}"'],
    "critical-mail-other": ['128 issuemail ";"', f'0 issue "{THEIRS}"'],
    "tabs": [f'0 issue "\\009{OURS}\\009;\\009a\\009=\\009b\\009"'],
    "line-end": [f'0 issue "{OURS}\\010"'],
    "issuer-left-out": ['0 issue "; policy=ev"'],
    "dot": [f'0 issue "{OURS}."'],
    "list": [f'0 issue "{OURS}, {THEIRS}"'],
    "underscore": ['0 issue "lets_encrypt.org"'],
    "malformed-and": ['0 issue "%%%"', f'0 issue "{OURS}"'],
    "bytes": ['0 issue "letsencrypt.org; a=\\195\\169"'],
    "spaces": [f'0 issue " {OURS} ; "'],
    "account": [f'0 issue "{OURS}; accounturi={URI}"'],
    "two-accounts": [f'0 issue "{OURS}; accounturi={URI}; accounturi={URI}"'],
    "no-account": [f'0 issue "{OURS}; accounturi="'],
    "methods": [f'0 issue "{OURS}; validationmethods=dns-01,http-01"'],
    "bad-methods": [f'0 issue "{OURS}; validationmethods=dns_01"'],
    "parameter": [f'0 issue "{OURS}; policy=ev"'],
    "trailing": [f'0 issue "{OURS}; policy=ev;"'],
    "many": [f'0 issue "{OURS}"', *(f'0 issue "ca{number}.a-rather-long-name.test"' for number in range(80))],
    "wild1": [f'0 issue "{OURS}"', f'0 issuewild "{THEIRS}"'],
    "wild2": [f'0 issue "{OURS}"', '0 issuewild ";"'],
    "wild3": [f'0 issue "{THEIRS}"', f'0 issuewild "{OURS}"'],
    "wild4": [f'0 issue "{OURS}"'],
    "wild5": [f'0 issue "{OURS}"', '0 issuewild "%"'],
    "wild6": [f'0 issue "{OURS}"'],
    "host.wild6": [f'0 issue "{THEIRS}"'],
    "wild7": [f'0 issuewild "{THEIRS}"'],
    "*.synthesised": [f'0 issue "{THEIRS}"'],
    "host.tree": [f'0 issue "{THEIRS}"'],
}
SIGNED = (
    "\n".join(f"{name} CAA {record}" for name, records in SETS.items() for record in records)
    + """
www A 127.0.0.1
a.terminal A 127.0.0.1
alias CNAME other
alias-2 CNAME alias
alias-3 CNAME alias-2
alias-empty CNAME www
alias-gone CNAME gone
alias-out CNAME other.unsigned.example.
alias-broken CNAME www.bogus.example.
round CNAME trip
trip CNAME round
moved DNAME tree
strange CAA \\# 12 00 03 2d612d 63612e74657374
"""
)
SIGNED += (
    "".join(f"long-{number} CNAME long-{number + 1}\n" for number in range(20)) + f'long-20 CAA 0 issue "{OURS}"\n'
)
ZONES = {
    "example.": Zone("", signed=True),
    "signed.example.": Zone(SIGNED, signed=True),
    "unsigned.example.": Zone(f'www A 127.0.0.1\nown CAA 0 issue "{OURS}"\nother CAA 0 issue "{THEIRS}"'),
    "bogus.example.": Zone(f'@ CAA 0 issue "{OURS}"\nwww A 127.0.0.1', signed=True, false_ds=True),
    "mute.example.": Zone(""),
    "mute.signed.example.": Zone(""),
    "refused.signed.example.": Zone(""),
    "tld.": Zone(f'@ CAA 0 issue "{OURS}"\nwww.shop A 127.0.0.1'),
}
MUTE = ("mute.example.", "mute.signed.example.")

YES, NO, NONE, FAILED = CaaState.AUTHORISED, CaaState.NOT_AUTHORISED, CaaState.NO_CAA, CaaState.LOOKUP_FAILED
OPEN = CaaState.UNKNOWN_ISSUER


@dataclass(frozen=True)
class Expected:
    """A host, and what is to be found out about it.

    Attributes:
        host: without a dot at the end of it, below signed.example.
        domain: where the set stands: its first label below signed.example, a whole name, or `@`.
        wildcard: the certificate has a wildcard in place of the host's name.
    """

    host: str
    state: CaaState
    domain: str | None
    source: str
    secure: bool | None = True
    wildcard: bool = False

    @property
    def name(self) -> str:
        return _name(self.host)


def _name(text: str) -> str:
    if text == "@":
        return "signed.example"
    return text if text.endswith(("example", "tld")) else f"{text}.signed.example"


CLIMB, ISSUE, WILD, CRITICAL_BIT = "RFC 8659, 3", "RFC 8659, 4.2", "RFC 8659, 4.3", "RFC 8659, 4.1"
ACCOUNT, METHODS = "RFC 8657, 3", "RFC 8657, 4"

CASES = [
    Expected("www", YES, "@", CLIMB),
    Expected("no-such-host", YES, "@", CLIMB),
    Expected("no.such.host", YES, "@", CLIMB),
    Expected("terminal", YES, "@", CLIMB),
    Expected("a.terminal", YES, "@", CLIMB),
    Expected("own", YES, "own", CLIMB),
    Expected("below.other", NO, "other", CLIMB),
    Expected("x.synthesised", NO, "x.synthesised", "RFC 4592, 2.2"),
    Expected("www.unsigned.example", NONE, None, CLIMB, secure=False),
    Expected("own.unsigned.example", YES, "own.unsigned.example", CLIMB, secure=False),
    Expected("example", NONE, None, CLIMB),
    Expected("www.shop.tld", YES, "tld", CLIMB, secure=False),
    Expected("other", NO, "other", ISSUE),
    Expected("upper", YES, "upper", CRITICAL_BIT),
    Expected("nobody", NO, "nobody", ISSUE),
    Expected("nothing", NO, "nothing", ISSUE),
    Expected("two", YES, "two", ISSUE),
    Expected("nobody-and", YES, "nobody-and", ISSUE),
    Expected("spaces", YES, "spaces", ISSUE),
    Expected("parameter", YES, "parameter", ISSUE),
    Expected("trailing", NO, "trailing", ISSUE),
    Expected("dot", NO, "dot", ISSUE),
    Expected("list", NO, "list", ISSUE),
    Expected("underscore", NO, "underscore", ISSUE),
    Expected("malformed-and", YES, "malformed-and", ISSUE),
    Expected("bytes", NO, "bytes", ISSUE),
    Expected("critical", YES, "critical", CRITICAL_BIT),
    Expected("unknown-tag", YES, "unknown-tag", CRITICAL_BIT),
    Expected("unknown-alone", YES, "unknown-alone", CRITICAL_BIT),
    Expected("critical-unknown", NO, "critical-unknown", CRITICAL_BIT),
    Expected("low-bit", OPEN, "low-bit", f"{CRITICAL_BIT}; Boulder, va/caa.go: Let's Encrypt takes it for critical"),
    Expected("low-bit-known", YES, "low-bit-known", CRITICAL_BIT),
    Expected("bit-2", YES, "bit-2", CRITICAL_BIT),
    Expected("all-bits", NO, "all-bits", CRITICAL_BIT),
    Expected("iodef", YES, "iodef", "RFC 8659, 4.4"),
    Expected("critical-iodef", YES, "critical-iodef", "RFC 8659, 4.4"),
    Expected("mail", YES, "mail", "RFC 9495, 4"),
    Expected("critical-mail", OPEN, "critical-mail", f"{CRITICAL_BIT}; RFC 9495, 4"),
    Expected("critical-mail-other", NO, "critical-mail-other", f"{CRITICAL_BIT}; RFC 9495, 4"),
    Expected("tabs", YES, "tabs", ISSUE),
    Expected("line-end", NO, "line-end", ISSUE),
    Expected("issuer-left-out", NO, "issuer-left-out", ISSUE),
    Expected("_under.score", YES, "@", CLIMB),
    Expected("account", YES, "account", ACCOUNT),
    Expected("two-accounts", NO, "two-accounts", ACCOUNT),
    Expected("no-account", NO, "no-account", ACCOUNT),
    Expected("methods", YES, "methods", METHODS),
    Expected("bad-methods", NO, "bad-methods", METHODS),
    Expected("many", YES, "many", "RFC 7766, 5: over TCP"),
    Expected("alias", NO, "alias", CLIMB),
    Expected("alias-3", NO, "alias-3", CLIMB),
    Expected("alias-empty", YES, "@", f"{CLIMB}; erratum 5065 of RFC 6844"),
    Expected("alias-gone", YES, "@", CLIMB),
    Expected("alias-out", NO, "alias-out", "RFC 4035, 3.2.3", secure=False),
    Expected("host.moved", NO, "host.moved", "RFC 6672, 2.2"),
    Expected("other.moved", YES, "@", "RFC 6672, 2.2"),
    Expected("host.wild1", YES, "wild1", WILD),
    Expected("host.wild1", NO, "wild1", WILD, wildcard=True),
    Expected("host.wild2", NO, "wild2", WILD, wildcard=True),
    Expected("host.wild3", NO, "wild3", WILD),
    Expected("host.wild3", YES, "wild3", WILD, wildcard=True),
    Expected("host.wild4", YES, "wild4", WILD, wildcard=True),
    Expected("host.wild5", NO, "wild5", WILD, wildcard=True),
    Expected("host.wild6", NO, "host.wild6", CLIMB),
    Expected("host.wild6", YES, "host.wild6", f"{CLIMB}: a wildcard's search begins above", wildcard=True),
    Expected("host.wild7", YES, "wild7", WILD),
    Expected("host.wild7", NO, "wild7", WILD, wildcard=True),
    Expected("www.bogus.example", FAILED, None, "RFC 4035, 5.5"),
    Expected("alias-broken", FAILED, None, "RFC 4035, 5.5"),
    Expected("long-0", FAILED, None, "RFC 1034, 3.6.2: resolvers bound what they follow"),
    Expected("round", FAILED, None, "RFC 1034, 3.6.2"),
    Expected("www.mute.example", FAILED, None, "RFC 8659, 3: no answer is not an empty one"),
    Expected("www.mute", FAILED, None, "RFC 8659, 3: the parent's set does not stand in for the child's"),
    Expected("www.refused", FAILED, None, "RFC 8659, 3: the parent's set does not stand in for the child's"),
    Expected("strange", FAILED, None, "RFC 8659, 4.1: a tag is letters and digits"),
]


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("zones")
    served = {name: zone for name, zone in ZONES.items() if not name.startswith("refused")}
    with knot(folder, served) as (port, anchor), silent_port() as mute:
        ports = {name: mute if name in MUTE else port for name in ZONES}
        with unbound(folder, ports, anchor) as validating:
            yield validating


def _environment(port: int, seconds: float = 3) -> Environment:
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, seconds
    return Environment(now=make_environment().now, resolver=RecordResolver(resolver, validating=True))


def _served(expected: Expected) -> CertificateFacts:
    name = f"*.{expected.name.partition('.')[2]}" if expected.wildcard else expected.name
    return certificate(issuer="C=US,O=Let's Encrypt,CN=E7", subject_alternative_names=(f"DNS:{name}",))


async def _look_up(expected: Expected, port: int) -> DnsFacts | None:
    target, known = make_target(host=expected.name), facts(_served(expected))
    try:
        return await PROBE.run(make_session(target, known=known, environment=_environment(port)))
    except ProbeError:
        return None


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert {one.state for one in CASES} == {*CaaState}


@pytest.mark.parametrize("expected", CASES, ids=lambda one: f"{one.host}{'-wildcard' if one.wildcard else ''}")
def test_records_lead_to_the_state_that_the_standard_has(resolver: int, expected: Expected) -> None:
    seen = asyncio.run(_look_up(expected, resolver))

    assert (seen is None) == (expected.state is FAILED), expected.source
    if seen is not None:
        assert seen.caa_domain == (None if expected.domain is None else _name(expected.domain)), expected.source
        assert seen.dnssec is expected.secure
    parts = [_served(expected), *([seen] if seen else [])]
    derived = DERIVATION.derive(case(*parts, host=expected.name))
    assert derived is not None
    assert derived.worst.state is expected.state, expected.source
    assert derived.authorized is {YES: True, NO: False, NONE: True, FAILED: None, OPEN: None}[expected.state]
