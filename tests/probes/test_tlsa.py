"""TLSA records: where they are looked up, and when it is not known whether there are any."""

import asyncio

import pytest
from dns.rcode import SERVFAIL

from exporter.errors import ProbeError
from exporter.facts.dns import TlsaFacts, TlsaRecord
from exporter.model import DnsQuestion, Reason
from exporter.probes.tlsa import PROBE
from tests.support.names import Answers, Manner, running_server
from tests.support.targets import make_environment, make_session, make_target

HOST, ALIAS = "mail.shop.example", "mx.host.example"
AT_HOST, AT_ALIAS = f"_25._tcp.{HOST}", f"_25._tcp.{ALIAS}"
RECORD = f"TLSA 3 1 1 {'ab' * 32}"
FOUND = (TlsaRecord(3, 1, 1, "ab" * 32),)
EVERYWHERE = (HOST, ALIAS, AT_HOST, AT_ALIAS)


def look_up(answers: Answers, secure: tuple[str, ...] = EVERYWHERE) -> tuple[TlsaFacts, list[str]]:
    async def run() -> tuple[TlsaFacts, list[str]]:
        async with running_server(answers, Manner(secure=secure)) as server:
            environment = make_environment(server.port, validating=True)
            session = make_session(make_target(25, host=HOST), environment=environment)
            return await PROBE.run(session), server.asked

    return asyncio.run(run())


def test_they_stand_at_port_and_protocol_below_the_host() -> None:
    """RFC 6698, 3."""
    found, asked = look_up({HOST: [], AT_HOST: [RECORD, f"TLSA 2 0 2 {'cd' * 64}"]})
    assert found == TlsaFacts(AT_HOST, (TlsaRecord(2, 0, 2, "cd" * 64), *FOUND), True)
    assert asked == [HOST, AT_HOST]


ALIASES: list[tuple[str, Answers, tuple[str, ...], TlsaFacts]] = [
    (
        "at what the host is an alias of",
        {HOST: [f"CNAME {ALIAS}"], ALIAS: [], AT_ALIAS: [RECORD]},
        EVERYWHERE,
        TlsaFacts(AT_ALIAS, FOUND, True),
    ),
    (
        "else at the host",
        {HOST: [f"CNAME {ALIAS}"], ALIAS: [], AT_HOST: [RECORD]},
        EVERYWHERE,
        TlsaFacts(AT_HOST, FOUND, True),
    ),
    (
        "at the host alone when the alias is not signed",
        {HOST: [f"CNAME {ALIAS}"], ALIAS: [], AT_ALIAS: [RECORD]},
        (AT_ALIAS, AT_HOST),
        TlsaFacts(AT_HOST, (), True),
    ),
    (
        "else at the host too when those at the other end are not signed",
        {HOST: [f"CNAME {ALIAS}"], ALIAS: [], AT_ALIAS: [f"TLSA 3 1 1 {'cd' * 32}"], AT_HOST: [RECORD]},
        (HOST, ALIAS, AT_HOST),
        TlsaFacts(AT_HOST, FOUND, True),
    ),
    ("nowhere", {HOST: []}, EVERYWHERE, TlsaFacts(AT_HOST, (), True)),
    ("not signed", {HOST: [], AT_HOST: [RECORD]}, (), TlsaFacts(AT_HOST, FOUND, False)),
]


@pytest.mark.parametrize(
    ("answers", "secure", "expected"), [one[1:] for one in ALIASES], ids=[one[0] for one in ALIASES]
)
def test_signed_aliases_are_followed(answers: Answers, secure: tuple[str, ...], expected: TlsaFacts) -> None:
    """RFC 7671, 7."""
    assert look_up(answers, secure)[0] == expected


@pytest.mark.parametrize("answers", [{HOST: SERVFAIL}, {HOST: [], AT_HOST: SERVFAIL}, {HOST: [], AT_HOST: None}])
def test_a_failed_lookup_is_never_the_absence_of_records(answers: Answers) -> None:
    with pytest.raises(ProbeError) as caught:
        look_up(answers)
    assert caught.value.reason is Reason.DNS_ERROR


def test_nobody_asks_unless_a_policy_wants_to_know() -> None:
    assert not PROBE.applies(make_target())
    assert PROBE.applies(make_target(questions=frozenset({DnsQuestion.TLSA})))
    assert not PROBE.applies(make_target(host="192.0.2.1", questions=frozenset({DnsQuestion.TLSA})))


def test_the_report_has_the_records_as_zone_files_do() -> None:
    assert PROBE.shape.document(TlsaFacts(AT_HOST, FOUND, None)) == {
        "tlsa": {"name": AT_HOST, "records": [f"3 1 1 {'ab' * 32}"], "dnssec": None}
    }
