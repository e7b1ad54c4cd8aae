"""The software of a server, from all sources, at the time of the judgement."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exporter.agreement import disagreements
from exporter.case import Case
from exporter.derived.software import DERIVATION, MOST_SHOWN, MOST_TEXTS, Software
from exporter.facts.http import Asked, HttpFacts, make_response
from exporter.metrics import render_target
from exporter.model import Addresses
from exporter.moments import Now
from exporter.software.files import shipped_table
from exporter.software.support import Product, SupportTable
from tests.support.facts import certificate, facts, handshake, report, watched
from tests.support.targets import NOW

Fields = list[tuple[str, str]]


def http(*responses: Fields) -> HttpFacts:
    return HttpFacts(
        tuple(
            make_response(Asked.ROOT, 200, [(name.encode(), value.encode("latin-1")) for name, value in fields])
            for fields in responses
        )
    )


def derive(*responses: Fields, now: datetime = NOW, table: SupportTable | None = None) -> Software:
    found = DERIVATION.derive(Case(watched(), facts(http(*responses)), Now(now), table=table or shipped_table()))
    assert found is not None
    return found


def greeted(text: str | None, dialogue: str | None = "smtp") -> Software | None:
    target = watched(protocol=dialogue or "imaps", starttls=dialogue)
    return DERIVATION.derive(Case(target, facts(replace(handshake(), greeting=text)), Now(NOW)))


def metrics(found: Software) -> list[str]:
    lines = render_target(watched(), DERIVATION.shape.samples(found), full=False)
    short = "".join(lines.values()).replace('target="test",', "").replace('{target="test"}', "")
    return short.replace("tls_posture_server_software_", "").splitlines()


@pytest.mark.parametrize(
    ("server", "powered_by", "maintained"),
    [
        ("nginx/1.30.4", None, True),
        ("nginx/1.30.4", "PHP/8.4.24", True),
        ("nginx/1.30.4", "PHP/8.4.2", None),
        ("nginx/1.30.4", "PHP", True),
        ("nginx/1.30.4", "Express", True),
        ("Apache/2.4.68 mod_wsgi/4.9 OpenSSL/3.5.7", None, True),
        ("Apache/2.4.68 mod_wsgi/4.9 OpenSSL/3.5.1", None, None),
        ("nginx/1.30.4", "PHP/5.6.40", False),
        ("nginx/1.18.0", "PHP/8.4.2", False),
        ("nginx", "PHP/5.6.40", False),
        ("Apache/2.4.57 (Debian) PHP/7.4.1 OpenSSL/3.0.1", "PHP/5.6.40", False),
        ("nginx/1.30.4", "PHP/7.4.3-4ubuntu2.18", None),
        ("nginx/1.30.4", "PHP/9.9.9", None),
        ("nginx/1.30.4 (Ubuntu)", "PHP/8.4.2", None),
        ("nginx", "PHP/8.4.2", None),
        ("gws/3", "PHP/8.4.2", None),
        (None, "PHP/8.4.2", None),
        ("nginx", None, None),
        (None, None, None),
    ],
)
def test_one_that_ended_is_enough_and_to_be_maintained_takes_the_server_itself_and_no_doubt(
    server: str | None, powered_by: str | None, maintained: bool | None
) -> None:
    said = {"server": server, "x-powered-by": powered_by}
    found = derive([(name, value) for name, value in said.items() if value is not None])
    assert found.maintained is maintained
    assert [line for line in metrics(found) if "maintained" in line] == (
        [] if maintained is None else [f"maintained {int(maintained)}"]
    )


def test_a_product_goes_out_of_support_without_a_scan() -> None:
    said = [("server", "envoy/1.36.9")]
    ends = datetime(2026, 10, 15, tzinfo=UTC)
    before = derive(said, now=ends - timedelta(seconds=1))
    after = derive(said, now=ends)
    assert (before.maintained, after.maintained) == (True, False)
    assert before.ends == after.ends == ends


def test_the_earliest_end_counts() -> None:
    found = derive([("server", "Apache/2.4.68"), ("x-powered-by", "PHP/8.4.2"), ("via", "1.1 a (HAProxy/3.2.1)")])
    assert found.ends == datetime(2029, 1, 1, tzinfo=UTC)
    assert metrics(found)[-1] == f"eol_timestamp_seconds {int(found.ends.timestamp())}"
    assert derive([("server", "Apache/2.4.68")]).ends is None


def test_each_product_is_a_series_with_its_version() -> None:
    assert metrics(derive([("server", "nginx/1.18.0"), ("x-powered-by", "ASP.NET")])) == [
        'info{product="nginx",version="1.18.0"} 1',
        'info{product="ASP.NET",version=""} 1',
        "maintained 0",
        f"eol_timestamp_seconds {int(datetime(2021, 4, 21, tzinfo=UTC).timestamp())}",
    ]


def test_at_most_four_are_shown_those_that_count_first() -> None:
    modules = " ".join(f"mod_{number}/1.{number}" for number in range(40))
    found = derive([("server", f"Apache/2.4.68 {modules}"), ("x-powered-by", "PHP/8.4.2, PHP/5.6.1")])
    names = [(one.shown.product, one.shown.version) for one in found.for_metrics]
    assert len(names) == MOST_SHOWN
    assert names[0] == ("apache-http-server", "2.4.68")
    assert len(found.products) <= 16


def test_several_responses_bring_each_product_once() -> None:
    found = derive(
        [("server", "nginx"), ("x-powered-by", "PHP/8.4.2")],
        [("server", "nginx/1.30.4")],
        [("server", "nginx/1.30.4"), ("x-powered-by", "PHP/8.4.2")],
    )
    assert [(one.shown.product, one.shown.version) for one in found.products] == [("nginx", "1.30.4"), ("php", "8.4.2")]
    assert found.shown == (("server", "nginx"), ("x-powered-by", "PHP/8.4.2"), ("server", "nginx/1.30.4"))


def test_the_server_itself_is_the_one_of_the_first_response_that_names_one() -> None:
    found = derive([("x-powered-by", "PHP/8.4.2")], [("server", "cloudflare")], [("server", "nginx/1.30.4")])
    assert [(one.shown.product, one.shown.main) for one in found.products] == [
        ("cloudflare", True),
        ("php", False),
        ("nginx", False),
    ]
    assert found.maintained is None


def test_a_mark_in_one_field_counts_for_the_same_version_in_another() -> None:
    """Apache names PHP next to `(Debian)`, and PHP itself without that."""
    found = derive([("x-powered-by", "PHP/7.4.1"), ("server", "Apache/2.4.57 (Debian) PHP/7.4.1")])
    assert {one.support.maintained for one in found.products} == {None}


def test_another_table_gives_another_verdict() -> None:
    table = SupportTable({"nginx": Product(NOW, {"1.18": False})})
    assert derive([("server", "nginx/1.18.0")], table=table).maintained is True


def test_a_greeting_is_read_like_a_header() -> None:
    found = greeted("220 mail.example.com ESMTP Exim 4.92 Sun, 22 Nov 2026")
    assert found is not None
    assert [(one.shown.product, one.shown.version, one.shown.main) for one in found.products] == [
        ("exim", "4.92", True)
    ]
    assert found.maintained is False
    assert found.shown == (("greeting", "220 mail.example.com ESMTP Exim 4.92 Sun, 22 Nov 2026"),)


def test_a_greeting_inside_tls_is_read_by_the_dialogue_of_its_protocol() -> None:
    said = facts(replace(certificate(), greeting="220 ProFTPD 1.3.6 Server (Debian) [192.0.2.1]"))
    found = DERIVATION.derive(Case(watched(protocol="ftps"), said, Now(NOW)))
    assert found is not None
    assert [(one.shown.product, one.shown.version, one.shown.main) for one in found.products] == [
        ("proftpd", "1.3.6", True)
    ]
    for protocol in ("ldaps", "tls", "https"):
        assert DERIVATION.derive(Case(watched(protocol=protocol), said, Now(NOW))) is None


def test_without_a_word_there_is_nothing() -> None:
    assert greeted(None) is None
    assert greeted("") is None
    assert DERIVATION.derive(Case(watched(), facts(), Now(NOW))) is None


def test_what_was_said_is_kept_for_people_cut_and_made_printable() -> None:
    hostile = "<script>\x1b[31m\r\n\x00" + "x" * 10_000
    found = derive([("server", hostile), *[("via", f"1.{number} a") for number in range(20)]])
    assert len(found.shown) == MOST_TEXTS
    assert all(text.isprintable() and len(text) <= 512 for _, text in found.shown)
    assert found.products == ()


def test_the_report_tells_each_verdict_and_its_reason() -> None:
    (software,) = DERIVATION.shape.document(
        derive([("server", "nginx/1.10.3-1+deb9u7"), ("x-powered-by", "PHP")])
    ).values()
    assert software == {
        "shown": [{"source": "server", "text": "nginx/1.10.3-1+deb9u7"}, {"source": "x-powered-by", "text": "PHP"}],
        "server": {"product": "nginx", "version": "1.10.3-1+deb9u7"},
        "products": [
            {
                "product": "nginx",
                "version": "1.10.3-1+deb9u7",
                "source": "server",
                "distribution": "debian",
                "distribution_release": "9",
                "maintained": False,
                "why": "is a package of Debian 9, which is not supported any more",
                "ends": "2022-07-01T00:00:00+00:00",
            },
            {
                "product": "php",
                "version": None,
                "source": "x-powered-by",
                "distribution": None,
                "distribution_release": None,
                "maintained": None,
                "why": "does not show its version",
                "ends": None,
            },
        ],
        "maintained": False,
        "ends": "2022-07-01T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("here", "there", "version"),
    [
        (
            "220 mx1 ESMTP Exim 4.96 Sun, 22 Nov 2026 12:00:00",
            "220 mx2 ESMTP Exim 4.96 Sun, 22 Nov 2026 12:00:07",
            None,
        ),
        ("220 mx1 ESMTP Exim 4.96 Sun", "220 mx2 ESMTP Exim 4.99.1 Sun", ("4.96", "4.99.1")),
        ("220 mx1 ESMTP Exim 4.96 Sun", "220 mx2 ESMTP Exim", None),
        ("220 mx1 ESMTP Exim 4.96 Sun", "220 mx2 ESMTP", None),
    ],
)
def test_addresses_disagree_on_the_server_itself_and_not_on_the_words(
    here: str, there: str, version: tuple[str, str] | None
) -> None:
    target = watched(protocol="smtp", starttls="smtp", addresses=Addresses.ALL)
    reports = [report(facts(replace(handshake(), greeting=text)), target=target) for text in (here, there)]
    at = [
        replace(one, result=replace(one.result, address=address))
        for one, address in zip(reports, ("192.0.2.1", "192.0.2.2"), strict=True)
    ]
    said = {} if version is None else dict(zip(("192.0.2.1", "192.0.2.2"), version, strict=True))
    found = disagreements(at)
    assert found is not None
    assert [(one.fact, {where: parts["server.version"] for where, parts in one.said.items()}) for one in found] == (
        [("software", said)] if said else []
    )
