"""MTA-STS and TLS reports: which TXT records count (RFC 8461, RFC 8460)."""

import asyncio
import time

import pytest
from dns.rcode import SERVFAIL

from exporter.errors import ProbeError
from exporter.facts.dns import MtaStsFacts
from exporter.model import DnsQuestion, Reason
from exporter.probes.mta_sts import PROBE
from tests.support.names import Answers, running_server
from tests.support.targets import make_environment, make_session, make_target

DOMAIN = "shop.example"
STS, RPT = f"_mta-sts.{DOMAIN}", f"_smtp._tls.{DOMAIN}"
GOOD_STS, GOOD_RPT = "v=STSv1; id=20261122T120000;", "v=TLSRPTv1; rua=mailto:tls@shop.example"
ASKED = frozenset({DnsQuestion.MTA_STS})


def look_up(answers: Answers) -> MtaStsFacts:
    async def run() -> MtaStsFacts:
        async with running_server(answers) as server:
            target = make_target(25, mail_domain=DOMAIN, questions=ASKED)
            return await PROBE.run(make_session(target, environment=make_environment(server.port)))

    return asyncio.run(run())


def txt(*texts: str) -> list[str]:
    return [f'TXT "{text}"' for text in texts]


def test_both_are_looked_for_below_the_mail_domain() -> None:
    found = look_up({STS: txt(GOOD_STS), RPT: txt(GOOD_RPT)})
    assert found == MtaStsFacts(DOMAIN, GOOD_STS, GOOD_RPT)
    assert look_up({}) == MtaStsFacts(DOMAIN, None, None)


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        (["v=STSv1; id=1"], True),
        (["v=STSv1;id=1;"], True),
        (["v=STSv1;id=1 ; "], True),
        (["v=STSv1 ; id=1"], False),
        (["v=STSv1; x=https://a.example; id=1"], True),
        (["v=STSv1; x=y; z=1"], False),
        (["v=STSv1; id=1; id=2"], False),
        ([GOOD_STS, "v=STSv10; id=2;", "v=STSv1", "v=STSv1-x; id=3"], True),
        (["v=STSv1; id=1; x=\\195\\169"], False),
        (["v=STSv1; id=1; x=y; z.a-b=c"], True),
        ([GOOD_STS, "something else"], True),
        (['v=STSv1; id=2026" "1122T120000;'], True),
        ([GOOD_STS, "v=STSv1; id=2;"], False),
        (["v=STSv1"], False),
        (["v=STSv1; x=1"], False),
        (["v=STSv1; id="], False),
        ([f"v=STSv1; id={'1' * 33}"], False),
        (["v=STSv1; id=2026-11-22"], False),
        (["id=1; v=STSv1"], False),
        ([" v=STSv1; id=1"], False),
        (["v=STSv2; id=1"], False),
    ],
)
def test_one_well_formed_record_counts(texts: list[str], counts: bool) -> None:
    """RFC 8461, 3.1."""
    assert (look_up({STS: txt(*texts)}).mta_sts is not None) is counts


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        (["v=TLSRPTv1; rua=https://reports.shop.example/v1"], True),
        (["v=TLSRPTv1;rua=mailto:a@shop.example,https://b.example"], True),
        (["v=TLSRPTv1; rua=mailto:a@shop.example; x=y"], True),
        ([GOOD_RPT, GOOD_RPT.replace("tls@", "other@")], False),
        (["v=TLSRPTv1; x=y; rua=mailto:a@shop.example;"], True),
        (["v=TLSRPTv1; rua=http://a.example,mailto:a@shop.example"], True),
        ([GOOD_RPT, "v=TLSRPTv11; rua=mailto:b@shop.example"], True),
        ([f"{GOOD_RPT}; nothing"], False),
        ([f"{GOOD_RPT}; x=\\195\\169"], False),
        (["v=TLSRPTv1 ; rua=mailto:a@shop.example"], False),
        (["v=TLSRPTv1"], False),
        (["v=TLSRPTv1; rua="], False),
        (["v=TLSRPTv1; rua=http://reports.shop.example"], False),
        (["v=TLSRPTv1; rua=mailto:a@shop.example,"], False),
    ],
)
def test_one_well_formed_address_for_reports_counts(texts: list[str], counts: bool) -> None:
    """RFC 8460, 3."""
    assert (look_up({RPT: txt(*texts)}).tls_rpt is not None) is counts


@pytest.mark.parametrize("name", ["id", "rua"])
def test_the_longest_record_takes_no_time(name: str) -> None:
    """A record can have 64 KiB, and nothing else runs meanwhile."""
    strings = '" "'.join([" " * 200] * 240)
    started = time.process_time()
    found = look_up({STS: txt(f"v=STSv1; {name}=x{strings}y"), RPT: txt(f"v=TLSRPTv1; {name}=mailto:x,{strings}y")})
    assert found == MtaStsFacts(DOMAIN, None, None)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("answers", [{STS: SERVFAIL}, {STS: txt(GOOD_STS), RPT: None}])
def test_a_failed_lookup_is_never_the_absence_of_records(answers: Answers) -> None:
    with pytest.raises(ProbeError) as caught:
        look_up(answers)
    assert caught.value.reason is Reason.DNS_ERROR


def test_nobody_asks_unless_a_policy_wants_to_know_and_the_domain_is_said() -> None:
    assert not PROBE.applies(make_target(mail_domain=DOMAIN))
    assert not PROBE.applies(make_target(questions=ASKED))
    assert PROBE.applies(make_target(mail_domain=DOMAIN, questions=ASKED))


def test_the_report_has_the_records() -> None:
    assert PROBE.shape.document(MtaStsFacts(DOMAIN, GOOD_STS, None)) == {
        "mta_sts": {"domain": DOMAIN, "mta_sts": GOOD_STS, "tls_rpt": None}
    }
