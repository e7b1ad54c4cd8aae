"""The exposition: what a scrape shows, read back by prometheus_client's own parsers."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.checks.registry import CHECKS
from exporter.config.discovery import FileSource
from exporter.config.values import RESERVED_LABELS
from exporter.derived.verdicts import Attack
from exporter.facts.certificate import OcspStatus
from exporter.facts.vulnerabilities import POSSIBLE
from exporter.metrics import (
    ADDRESS_FAMILIES,
    FAMILIES,
    FULL_DETAIL,
    OWN_FAMILIES,
    Exposition,
    OwnMetrics,
    render_reports,
    render_target,
    report_samples,
    target_samples,
    target_text,
)
from exporter.model import (
    CipherOrder,
    Disagreement,
    Facts,
    Failure,
    Family,
    Protocol,
    Reason,
    Report,
    Sample,
    Severity,
    TrustFailure,
    Unit,
)
from exporter.probes.certificate import PROBE as CERTIFICATE
from exporter.probes.registry import PROBES
from exporter.targets.discovered import OUTCOMES
from exporter.targets.discovery import SourceState
from exporter.text import escaped
from tests.support.exceptions import accepted
from tests.support.facts import (
    CBC_RSA,
    GCM,
    KOPANO,
    RC4,
    TLS13_AES,
    caa,
    certificate,
    certificates,
    consistent_handshake_facts,
    deployment,
    facts,
    handshake,
    handshake_facts,
    http,
    http_everywhere,
    report,
    result,
    showing,
    steady,
    tried,
    watched,
)
from tests.support.judging import report_after
from tests.support.targets import NOW, make_target

CONTRACT = {family.name: {label.name for label in family.labels} for family in FAMILIES}
"""Every family about targets, with the labels it has besides those of the target; docs/metrics.md shows all of it."""

OWN_CONTRACT = {
    family.name.removesuffix("_total"): {label.name for label in family.labels}
    | ({"le"} if family.kind == "histogram" else set())
    for family in OWN_FAMILIES
}
"""The exporter's own families, counters without `_total`."""

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]

ALL_PROTOCOLS = handshake(
    dict.fromkeys(Protocol, (GCM, CBC_RSA, RC4)), order={Protocol.TLS1_0: CipherOrder.MIXED}, compression=True
)
HOSTILE = 'CN="\\"\n\r\t\x00\x1b[31m{},=# é 中 \U0001f512\u2028,O=\\n'
UNTRUSTED: dict[str, Any] = {
    "issuer": "O=Let's Encrypt,CN=E7",
    "hostname_match": False,
    "trusted": False,
    "failures": (TrustFailure.NAME_MISMATCH, TrustFailure.REVOKED),
}
REVOKED = UNTRUSTED | {"hostname_match": True, "failures": (TrustFailure.REVOKED,)}
ASKED = tuple(probe for probe in PROBES if probe.applies(watched()))
"""The probes of a target under a policy that asks the DNS for no more than CAA."""
WORST = report(
    facts(
        ALL_PROTOCOLS,
        certificate(**UNTRUSTED, ocsp_stapled=OcspStatus.REVOKED, subject=HOSTILE),
        tried(dict.fromkeys(POSSIBLE, True)),
        showing(
            http_everywhere("max-age=1; includeSubDomains; preload"),
            *(("server", "Apache/2.2.22 OpenSSL/1.0.1e mod_wsgi/3.4"), ("x-powered-by", "PHP/5.6.40, ASP.NET")),
        ),
        caa(
            *((tag, "x") for tag in ("issue", "issuewild", "issuemail", "issuevmc", "iodef")),
            *((tag, "x") for tag in ("contactemail", "contactphone", "tbs", "unheard-of")),
        ),
    ),
    probes={probe.name: False for probe in ASKED},
    failures=tuple(Failure(probe.name, Reason.INTERNAL, "x") for probe in ASKED),
    target=watched(labels={"team": 'a "quoted" \\ team\n'}, clients=("android-4.3",)),
)
"""Every sample there can be, though no scan would bring them all at once."""
ACCEPTED = accepted(WORST, check="protocols")

MODERN = report(
    WORST.facts.with_part(handshake(order=dict.fromkeys((Protocol.TLS1_2, Protocol.TLS1_3), CipherOrder.CLIENT)), NOW)
    .with_part(certificates(deployment(**REVOKED), deployment(key_algorithm="RSA", **REVOKED)), NOW)
    .with_part(showing(http_everywhere("max-age=1; includeSubDomains; preload"), ("server", "nginx/1.18.0")), NOW)
    .with_part(caa(("issue", "x"), ("issuewild", "x"), ("iodef", "x")), NOW),
    probes=WORST.result.probes,
    failures=WORST.result.failures,
)


CIPHER_SUITES = KOPANO.demands["cipher_suites"]


def exposition(*reports: Report, full: bool = False) -> Exposition:
    page = Exposition(OwnMetrics())
    for one in reports:
        page.put(one.target.name, render_target(one.target, report_samples(one, [KOPANO]), full=full))
    return page


def page_text(page: Exposition, accept: str = TEXT) -> str:
    return page.render(accept)[0].decode()


def text(*reports: Report, full: bool = False) -> str:
    """The page without the exporter's own metrics."""
    return target_text(render_target(r.target, report_samples(r, [KOPANO]), full=full) for r in reports)


def values(families: Iterable[Metric]) -> Values:
    """Every sample by name and labels; one that is there twice is an error."""
    found: Values = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            assert sample.timestamp is None
            found[key] = float(sample.value)
    return found


def of_targets(found: Values) -> Values:
    return {key: value for key, value in found.items() if any(name == "target" for name, _ in key[1])}


def series(*reports: Report, full: bool = False) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Name -> its labels (less the target's) and values."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for (name, labels), value in values(parse_text(text(*reports, full=full))).items():
        found.setdefault(name, []).append(({k: v for k, v in labels if k != "target"}, value))
    return found


def value(family: str, *reports: Report) -> float:
    """The value of a family with one sample."""
    ((_, only),) = series(*reports)[family]
    return only


# --- format -----------------------------------------------------------------------------------------------------------


REPORTS = [
    report(),
    report(Facts(), success=False, failures=(Failure("handshake", Reason.CONNECT_REFUSED, "no"),)),
    report(facts(handshake(open_protocols=[Protocol.SSL3], compression=None))),
    WORST,
]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("one", REPORTS, ids=["good", "nothing", "gaps", "worst"])
def test_both_formats_are_read_back_to_the_same_samples(one: Report, full: bool) -> None:
    page = exposition(one, full=full)
    plain = of_targets(values(parse_text(page_text(page))))
    openmetrics = of_targets(values(parse_openmetrics(page_text(page, OPENMETRICS))))
    assert plain == openmetrics
    assert len(plain) == text(one, full=full).count("\n") - 2 * text(one, full=full).count("# TYPE")


def test_each_policy_of_a_target_has_its_own_series_and_none_is_there_twice() -> None:
    stricter = KOPANO.demands["cipher_suites"][0].model_copy(update={"severity": Severity.INFO})
    strict = replace(KOPANO, name="strict", demands={**KOPANO.demands, "cipher_suites": (*CIPHER_SUITES, stricter)})
    policies = [KOPANO, replace(KOPANO, name="lax", demands={"hsts": KOPANO.demands["hsts"]}), strict]
    one = report_after(WORST.result, policies, NOW)
    shown = target_text([render_reports([one], policies, full=True)])
    plain = values(parse_text(shown))
    assert plain == values(parse_openmetrics(f"{shown}# EOF\n"))
    (info,) = [dict(labels) for name, labels in plain if name == "tls_posture_target_info"]
    assert info["policy"] == "kopano-checklist,lax,strict"
    for family, of in (("compliant", 3), ("cipher_suites_noncompliant", 2), ("cipher_suite_info", 2)):
        found = {dict(labels)["policy"] for name, labels in plain if name == f"tls_posture_{family}"}
        assert len(found) == of, family
    checks = [dict(labels) for name, labels in plain if name == "tls_posture_check_passed"]
    of_suites = [(one["policy"], one["severity"]) for one in checks if one["check"] == "cipher_suites"]
    assert sorted(of_suites) == [("kopano-checklist", "critical"), ("strict", "critical"), ("strict", "info")]


def test_both_formats_are_read_back_to_the_same_samples_with_several_targets() -> None:
    other = report(target=make_target(name="other", labels={"team": "b"}))
    page = exposition(WORST, other)
    plain = values(parse_text(page_text(page)))
    openmetrics = values(parse_openmetrics(page_text(page, OPENMETRICS)))
    assert of_targets(plain) == of_targets(openmetrics)
    assert {dict(labels)["target"] for _, labels in of_targets(plain)} == {"test", "other"}


@steady
@given(seen=consistent_handshake_facts(), subject=st.text(), label=st.text())
def test_whatever_was_seen_is_read_back_by_both_parsers(seen: Any, subject: str, label: str) -> None:  # noqa: ANN401 - HandshakeFacts
    target = make_target(labels={"team": label})
    one = report(facts(seen, certificate(subject=subject)), target=target)
    page = exposition(one, full=True)
    plain = of_targets(values(parse_text(page_text(page))))
    assert plain == of_targets(values(parse_openmetrics(page_text(page, OPENMETRICS))))
    (info,) = [dict(labels) for name, labels in plain if name == "tls_posture_certificate_info"]
    assert info["subject"] == escaped(subject)
    assert info["team"] == escaped(label)


def test_an_accept_header_for_openmetrics_gets_it() -> None:
    page = exposition(report())
    body, content_type = page.render(f"{OPENMETRICS};q=0.6,text/plain;version=0.0.4;q=0.5")
    assert content_type == OPENMETRICS
    assert body.count(b"# EOF\n") == 1
    assert body.endswith(b"\n# EOF\n")


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain", "text/html"])
def test_everyone_else_gets_the_text_format(accept: str) -> None:
    body, content_type = exposition(report()).render(accept)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in body


def test_help_and_type_stand_once_in_front_of_all_samples_of_a_family() -> None:
    lines = text(ACCEPTED, report(target=make_target(name="other")), full=True).removesuffix("\n").split("\n")
    seen: list[str] = []
    for line in lines:
        if line.startswith("# HELP "):
            seen.append(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {seen[-1]} gauge"
        else:
            assert line.startswith(f"{seen[-1]}{{target="), line
    assert len(set(seen)) == len(seen)
    assert set(seen) == {family.name for family in FAMILIES if family not in ADDRESS_FAMILIES}


def test_a_family_without_samples_has_no_header() -> None:
    assert "tls_posture_caa" not in text(report(facts(handshake())))
    assert text() == ""


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_help_says_that_the_value_is_as_of_the_last_scan(family: Family) -> None:
    assert family.help.endswith(" (as of the last scan)")
    assert not set(family.help) & set('\\\n"'), "the two formats escape help texts differently"


@pytest.mark.parametrize(
    ("raw", "quoted"),
    [
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("two\nlines", r"two\\nlines"),
        ("\u202eturned\u2028", r"\\u202eturned\\u2028"),
        ("\x1b[31m\x7f\x9b", r"\\u001b[31m\\u007f\\u009b"),
        (r"a \n that is none", r"a \\n that is none"),
        ('\\"', r"\\\""),
        ("é 中 \U0001f512", "é 中 \U0001f512"),
        ("", ""),
    ],
)
def test_label_values_are_escaped(raw: str, quoted: str) -> None:
    one = report(facts(certificate(subject=raw)))
    assert f'subject="{quoted}"' in text(one)
    assert series(one)["tls_posture_certificate_info"][0][0]["subject"] == escaped(raw)


def test_a_hostile_subject_stays_within_its_label() -> None:
    assert series(WORST)["tls_posture_certificate_info"][0][0]["subject"] == escaped(HOSTILE)
    assert series(WORST)["tls_posture_certificate_info"][0][0]["team"] == 'a "quoted" \\ team' + r"\n"


def test_text_that_utf_8_cannot_hold_does_not_end_the_scrape() -> None:
    page = exposition(report(facts(certificate(subject="a\ud800b"))), report(target=make_target(name="other")))
    found = of_targets(values(parse_text(page_text(page))))
    assert any(("subject", r"a\ud800b") in labels for _, labels in found)
    assert any(("target", "other") in labels for _, labels in found)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (1, "1"),
        (True, "1"),
        (False, "0"),
        (-1, "-1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1.5, "1.5"),
        (31536000.0, "31536000"),
        (1795348800.123456, "1795348800.123456"),
        (2**53 - 1, "9007199254740991"),
        (2**53, "9007199254740992.0"),
        (2**63 - 1, "9.223372036854776e+18"),
        (253402300799.0, "253402300799"),
        (-62135596800.0, "-62135596800"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_shown_without_loss(number: float, shown: str) -> None:
    sample = Sample(FAMILIES[1], number)
    (line,) = render_target(make_target(), [sample], full=False).values()
    assert line == f'{FAMILIES[1].name}{{target="test"}} {shown}\n'
    assert float(shown) == float(number) or math.isnan(number)


@given(st.floats(allow_nan=False))
def test_every_number_is_read_back_as_it_was(number: float) -> None:
    shown = target_text([render_target(make_target(), [Sample(FAMILIES[1], number)], full=False)])
    assert list(values(parse_text(shown)).values()) == [number]
    assert list(values(parse_openmetrics(f"{shown}# EOF\n")).values()) == [number]


def test_times_are_read_back_to_the_microsecond() -> None:
    moment = datetime(2026, 11, 22, 12, 34, 56, 789123, tzinfo=UTC)
    one = report(ended_at=moment)
    assert datetime.fromtimestamp(value("tls_posture_last_scan_timestamp_seconds", one), UTC) == moment
    assert datetime.fromtimestamp(value("tls_posture_last_success_timestamp_seconds", one), UTC) == moment
    assert value("tls_posture_scan_duration_seconds", one) == 1.5


# --- the contract -----------------------------------------------------------------------------------------------------


def test_every_family_is_there_once() -> None:
    names = [family.name for family in (*FAMILIES, *OWN_FAMILIES)]
    assert len(set(names)) == len(names)


UNITS: dict[Unit, Callable[[float], bool]] = {
    Unit.FLAG: lambda number: number in {0, 1},
    Unit.ONE: lambda number: number == 1,
    Unit.COUNT: lambda number: number >= 0 and float(number).is_integer(),
    Unit.BITS: lambda number: number > 0 and float(number).is_integer(),
    Unit.BYTES: lambda number: number >= 0 and float(number).is_integer(),
    Unit.SECONDS: lambda number: number >= 0,
    Unit.TIME: lambda number: number > 1e9,
    Unit.POINTS: lambda number: 0 <= number <= 100,
    Unit.RANK: lambda number: number in range(8),
}
"""What a value of each unit may be."""
ENDINGS = {
    Unit.TIME: "_timestamp_seconds",
    Unit.SECONDS: "_seconds",
    Unit.ONE: "_info",
    Unit.BYTES: "_bytes",
    Unit.BITS: "_bits",
}


@pytest.mark.parametrize("family", [*FAMILIES, *OWN_FAMILIES], ids=lambda family: family.name)
def test_a_family_declares_what_it_can_keep(family: Family) -> None:
    assert family.unit in UNITS
    assert UNITS[family.unit](family.example)
    assert not family.absent.endswith(".")
    if family.name.endswith(("_timestamp_seconds", "_info")):
        assert family.unit is (Unit.ONE if family.name.endswith("_info") else Unit.TIME)
    elif family.unit is not Unit.ONE:
        assert family.name.endswith(ENDINGS.get(family.unit, ""))
    assert (family.kind == "counter") == family.name.endswith("_total")
    for label in family.labels:
        assert not label.values or label.example in {*label.values, ""}
        assert len(set(label.values)) == len(label.values)


def declared(sample: Sample) -> bool:
    """Whether a sample has the labels of its family, in their order, with values that they can have, and its unit."""
    labels = sample.family.labels
    known = all(not label.values or sample.labels[label.name] in label.values for label in labels)
    return list(sample.labels) == [label.name for label in labels] and known and UNITS[sample.family.unit](sample.value)


@pytest.mark.parametrize("one", [*REPORTS, MODERN], ids=["good", "nothing", "gaps", "worst", "modern"])
def test_samples_are_as_their_families_declare(one: Report) -> None:
    shown = list(report_samples(one, [KOPANO]))
    assert [sample for sample in shown if not declared(sample)] == []


@steady
@given(seen=handshake_facts())
def test_samples_of_any_handshake_are_as_their_families_declare(seen: Any) -> None:  # noqa: ANN401 - HandshakeFacts
    shown = report_samples(report(facts(seen, certificate(), http("max-age=1"))), [KOPANO])
    assert [sample for sample in shown if not declared(sample)] == []


def test_every_family_of_a_probe_or_a_check_is_shown() -> None:
    """One that is missing from `FAMILIES` would be left out of the page without a word."""
    # Of chains that do not verify there is no verified path.
    reports = (ACCEPTED, report(), report(Facts()))
    given_out = {sample.family for one in reports for sample in report_samples(one, [KOPANO])}
    of_parts = {family for probe in PROBES for family in probe.shape.families}
    of_parts |= {family for check in CHECKS for family in check.families}
    assert given_out | of_parts <= set(FAMILIES)
    assert given_out == set(FAMILIES) - set(ADDRESS_FAMILIES)


def test_series_carry_the_labels_of_the_contract_and_no_others() -> None:
    for name, samples in series(ACCEPTED, full=True).items():
        for labels, _ in samples:
            assert set(labels) == CONTRACT[name] | {"team"}, name


def test_no_label_of_the_operators_can_clash_with_one_of_ours() -> None:
    used = {name for sample in report_samples(ACCEPTED, [KOPANO]) for name in sample.labels} | {"target"}
    assert used <= RESERVED_LABELS
    assert set().union(*CONTRACT.values(), {"address", "instance", "job", "type"}) <= RESERVED_LABELS


def test_names_keep_to_the_rules_of_naming() -> None:
    for name in CONTRACT:
        assert re.fullmatch(r"tls_posture(_[a-z0-9]+)+", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))


def test_the_exporters_own_families_are_of_the_contract() -> None:
    metrics = OwnMetrics()
    metrics.show_protection("seccomp", True)
    metrics.oldest_fact.value = metrics.next_due.value = 1.0  # absent where there is none
    state = SourceState(
        "file_sd_configs.0", FileSource(files=["a.yaml"]), refreshed_at=datetime(2026, 11, 30, tzinfo=UTC)
    )
    state.answered.set()
    state.modified = lambda: {"a.yaml": 1796083200.0}
    metrics.note_sources([state])
    metrics.show_sources({"file_sd_configs.0": dict.fromkeys(OUTCOMES, 1)})
    metrics.note_web_config(usable=True)
    metrics.note_broker(connected=True)
    metrics.note_shard(0, 2)
    metrics.note_external_url("https://tls.example.com")
    families = list(parse_openmetrics(page_text(Exposition(metrics), OPENMETRICS)))
    own = {family.name: family for family in families if family.name.startswith("tls_posture_")}
    assert set(own) == set(OWN_CONTRACT)
    for name, family in own.items():
        assert {label for sample in family.samples for label in sample.labels} == OWN_CONTRACT[name]
    others = {family.name.split("_")[0] for family in families} - {"tls"}
    assert others == {"process", "python"}


def test_the_state_of_the_web_configuration_is_absent_without_one() -> None:
    metrics, name = OwnMetrics(), "tls_posture_exporter_web_config_last_reload_successful"
    assert f"\n{name} " not in page_text(Exposition(metrics))
    for usable in (True, False):
        metrics.note_web_config(usable)
        assert f"\n{name} {float(usable)}\n" in page_text(Exposition(metrics))


def test_scans_are_counted_from_zero_for_both_outcomes() -> None:
    """A rate over a counter that starts with its first event would miss it."""
    found = values(parse_text(page_text(exposition())))
    for outcome in ("success", "failure"):
        assert found["tls_posture_exporter_scans_total", frozenset({("outcome", outcome)})] == 0


def test_protections_are_shown_once_a_worker_has_started() -> None:
    metrics = OwnMetrics()
    series = "tls_posture_exporter_worker_protection{"
    assert series not in page_text(Exposition(metrics))
    metrics.show_protection("seccomp", True)
    metrics.show_protection("landlock", False)
    page = page_text(Exposition(metrics))
    assert series + 'protection="seccomp"} 1.0' in page
    assert series + 'protection="landlock"} 0.0' in page


ANSWERING = replace(MODERN, result=replace(MODERN.result, failures=()))


@pytest.mark.parametrize("policy_demands", [KOPANO.demands, {}], ids=["all", "none"])
@pytest.mark.parametrize(("scanned", "most"), [(ANSWERING, 80), (MODERN, 85)], ids=["answering", "silent"])
def test_default_detail_is_at_most_80_series_a_target(
    scanned: Report, most: int, policy_demands: dict[str, Any]
) -> None:
    """Of a server as there are today: two protocols, two certificates, all of it wrong; and while no probe answers."""
    samples = list(report_samples(scanned, [replace(KOPANO, demands=policy_demands)]))
    shown = target_text([render_target(scanned.target, samples, full=False)])
    assert 40 < len(values(parse_text(shown))) <= most


def test_an_accepted_failure_has_two_series_more_and_is_a_failure() -> None:
    before, after = series(WORST), series(ACCEPTED)
    ends = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    (failed,) = [labels for labels, _ in before["tls_posture_check_passed"] if labels["check"] == "protocols"]
    assert after == before | {
        "tls_posture_check_accepted": [(failed, 1)],
        "tls_posture_check_accepted_until_timestamp_seconds": [(failed, ends)],
    }
    assert (failed, 0) in after["tls_posture_check_passed"]


MOST_SERIES = 105
"""Of a server with all six protocols, each of which has four series: there is hardly one."""


def test_the_worst_server_brings_few_more() -> None:
    assert len(values(parse_text(text(WORST)))) <= MOST_SERIES


@given(handshake_facts())
@steady
def test_no_handshake_brings_more(seen: Any) -> None:  # noqa: ANN401 - HandshakeFacts
    parts = [part for probe in PROBES[1:] if (part := WORST.facts.get(probe.kind)) is not None]
    listed = dict.fromkeys(Protocol, (GCM,)) | dict(seen.cipher_suites)
    one = report(facts(replace(seen, cipher_suites=listed), *parts), probes=WORST.result.probes)
    assert text(one).count("{target=") <= MOST_SERIES


def test_full_detail_adds_suites_and_groups_and_nothing_else() -> None:
    default, full = series(WORST), series(WORST, full=True)
    added = {"tls_posture_cipher_suite_info", "tls_posture_key_exchange_group_accepted"}
    added |= {"tls_posture_key_exchange_group_order_enforced", "tls_posture_extension_supported"}
    added |= {"tls_posture_dh_prime_bits", "tls_posture_contradictory_answers"}
    added |= {"tls_posture_grade_trust_ignored_rank"}
    added |= {"tls_posture_probe_last_success_timestamp_seconds", "tls_posture_scan_bytes"}
    added |= {family.name for family in CERTIFICATE.shape.full}
    assert {family.name for family in FULL_DETAIL} == added
    assert set(full) - set(default) == added
    assert {name: full[name] for name in default} == default
    assert len(full["tls_posture_cipher_suite_info"]) == 18
    assert [labels["group"] for labels, _ in full["tls_posture_key_exchange_group_accepted"]] == [
        *("X25519MLKEM768", "x25519", "secp256r1")
    ]


# --- values -----------------------------------------------------------------------------------------------------------


def test_a_good_target_in_numbers() -> None:
    found = series(report(), full=True)
    assert found["tls_posture_scan_success"] == [({}, 1)]
    assert found["tls_posture_probe_success"] == [({"probe": "handshake"}, 1)]
    assert found["tls_posture_scan_connections"] == [({}, 27)]
    assert found["tls_posture_scan_bytes"] == [({"direction": "sent"}, 9000), ({"direction": "received"}, 40000)]
    assert found["tls_posture_scan_interval_seconds"] == [({}, 21600)]
    assert found["tls_posture_weak_protocols"] == [({}, 0)]
    assert found["tls_posture_post_quantum_key_exchange"] == [({}, 1)]
    assert found["tls_posture_key_exchange_group_order_enforced"] == [({"protocol": "TLSv1.3"}, 1)]
    assert found["tls_posture_dh_prime_bits"] == [({}, 2048)]
    assert found["tls_posture_contradictory_answers"] == [({}, 0)]
    assert {labels["extension"]: number for labels, number in found["tls_posture_extension_supported"]} == {
        "secure_renegotiation": 1,
        "extended_master_secret": 1,
        "heartbeat": 0,
    }
    assert {labels["protocol"]: number for labels, number in found["tls_posture_protocol_accepted"]} == {
        "SSLv2": 0,
        "SSLv3": 0,
        "TLSv1.0": 0,
        "TLSv1.1": 0,
        "TLSv1.2": 1,
        "TLSv1.3": 1,
    }
    assert found["tls_posture_hsts_max_age_seconds"] == [({}, 31536000)]
    assert found["tls_posture_certificate_not_after_timestamp_seconds"] == [({"key_algorithm": "EC"}, 1798675199)]
    assert found["tls_posture_caa_records"] == [({"tag": "issue"}, 1)]
    assert found["tls_posture_compliant"] == [({"policy": "kopano-checklist"}, 1)]
    assert {labels["check"]: number for labels, number in found["tls_posture_check_passed"]} == {
        check.name: 1 for check in CHECKS if check.name in KOPANO.demands
    }
    assert {labels["vulnerability"]: number for labels, number in found["tls_posture_vulnerable"]} == dict.fromkeys(
        Attack, 0
    )
    ages = found["tls_posture_probe_last_success_timestamp_seconds"]
    assert {labels["probe"]: at for labels, at in ages} == {probe.name: NOW.timestamp() for probe in ASKED}
    assert "tls_posture_probe_failure" not in found
    assert "tls_posture_certificate_verification_failure" not in found


def test_the_identity_of_a_target_is_a_series() -> None:
    target = make_target(8443, protocol="imap", starttls="imap", server_name=None, labels={"team": "web"})
    ((labels, number),) = series(report(target=target))["tls_posture_target_info"]
    assert number == 1
    assert labels == {
        "team": "web",
        "host": "www.test.example",
        "port": "8443",
        "protocol": "imap",
        "starttls": "imap",
        "server_name": "",
        "policy": "kopano-checklist",
        "zone": "",
    }


def test_a_failed_probe_is_named_with_its_reason_and_nothing_of_its_detail() -> None:
    failed = Failure("http", Reason.HTTP_TIMEOUT, "the Geheimnis of the peer")
    one = report(facts(handshake()), probes={"handshake": True, "http": False}, failures=(failed,), success=False)
    found = series(one)
    assert found["tls_posture_scan_success"] == [({}, 0)]
    assert found["tls_posture_probe_success"] == [({"probe": "handshake"}, 1), ({"probe": "http"}, 0)]
    assert found["tls_posture_probe_failure"] == [({"probe": "http", "reason": "http_timeout"}, 1)]
    assert "Geheimnis" not in text(one)


def test_a_header_that_is_not_valid_is_zero_and_known() -> None:
    found = series(report(facts(http("max-age=junk; includeSubDomains"))))
    for name in ("max_age_seconds", "present", "include_subdomains", "preload"):
        assert found[f"tls_posture_hsts_{name}"] == [({}, 0)]


def test_an_empty_record_set_is_zero_and_known() -> None:
    found = series(report(facts(caa())))
    assert found["tls_posture_caa_present"] == [({}, 0)]
    assert "tls_posture_caa_records" not in found


def test_tags_that_nobody_registered_are_counted_together() -> None:
    counts = {labels["tag"]: number for labels, number in series(WORST)["tls_posture_caa_records"]}
    assert counts == dict.fromkeys(
        ("issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone"), 1
    ) | {"other": 2}


# --- absent when unknown ----------------------------------------------------------------------------------------------


SCAN_ONLY = {
    *("tls_posture_target_info", "tls_posture_scan_success", "tls_posture_probe_success", "tls_posture_probe_failure"),
    *("tls_posture_last_scan_timestamp_seconds", "tls_posture_scan_duration_seconds"),
    *("tls_posture_scan_interval_seconds", "tls_posture_scan_connections", "tls_posture_check_unknown"),
}


def test_a_target_that_was_never_reached_shows_nothing_but_the_scan() -> None:
    failed = Failure("handshake", Reason.CONNECT_REFUSED, "refused")
    assert set(series(report(Facts(), failures=(failed,), success=False))) == SCAN_ONLY


def test_a_target_that_was_never_scanned_shows_what_is_configured() -> None:
    shown = target_text([render_target(make_target(), target_samples(make_target(), [KOPANO]), full=True)])
    assert {name for name, _ in values(parse_text(shown))} == {
        "tls_posture_target_info",
        "tls_posture_scan_interval_seconds",
    }


def gap(change: Callable[[], Report], *absent: str) -> Any:  # noqa: ANN401 - a row of the table
    return pytest.param(change(), absent, id=absent[0])


@pytest.mark.parametrize(
    ("one", "absent"),
    [
        gap(lambda: report(facts(handshake(open_protocols=[Protocol.TLS1_1]))), "tls_posture_weak_protocols"),
        gap(lambda: report(facts(handshake(compression=None))), "tls_posture_compression_accepted"),
        gap(
            lambda: report(facts(handshake({Protocol.TLS1_2: (GCM,)}, incomplete=[Protocol.TLS1_2]))),
            "tls_posture_cipher_suites_accepted",
            "tls_posture_cipher_suites_noncompliant",
            "tls_posture_forward_secrecy",
        ),
        gap(
            lambda: report(facts(handshake({Protocol.TLS1_3: (TLS13_AES,)}, order={Protocol.TLS1_3: None}))),
            "tls_posture_cipher_order_enforced",
        ),
        gap(lambda: report(facts(handshake(open_protocols=[Protocol.SSL2]))), "tls_posture_forward_secrecy"),
        gap(lambda: report(facts(certificate(trusted=None))), "tls_posture_certificate_trusted"),
        gap(
            lambda: report(facts(handshake(), certificate())),
            "tls_posture_hsts_present",
            "tls_posture_hsts_max_age_seconds",
            "tls_posture_hsts_include_subdomains",
            "tls_posture_hsts_preload",
            "tls_posture_caa_present",
            "tls_posture_caa_records",
            "tls_posture_compliant",
        ),
        gap(lambda: report(facts(http())), "tls_posture_certificate_info", "tls_posture_certificate_trusted"),
        gap(lambda: report(Facts(), success=False), "tls_posture_last_success_timestamp_seconds"),
    ],
)
def test_what_is_not_known_is_absent(one: Report, absent: tuple[str, ...]) -> None:
    assert not set(absent) & set(series(one, full=True))


def test_a_protocol_that_is_not_known_has_no_sample_of_its_own() -> None:
    one = report(facts(handshake(open_protocols=[Protocol.SSL3])))
    shown = {labels["protocol"] for labels, _ in series(one)["tls_posture_protocol_accepted"]}
    assert shown == set(Protocol) - {"SSLv3"}


def test_a_check_that_is_unknown_neither_passes_nor_fails_and_one_that_does_not_apply_has_no_series() -> None:
    one = report(facts(handshake(compression=None)), target=make_target(protocol="imaps"))
    passed, unknown = (
        {labels["check"] for labels, _ in series(one)[f"tls_posture_check_{name}"]} for name in ("passed", "unknown")
    )
    assert passed == {"protocols", "cipher_suites", "cipher_order", "clients"}
    assert unknown == set(KOPANO.demands) - passed - {"hsts", "hsts_on_errors"}


def test_one_failure_is_non_compliance_whatever_else_is_unknown() -> None:
    assert value("tls_posture_compliant", report(facts(http()))) == 0


@steady
@given(seen=consistent_handshake_facts(), protocol=st.sampled_from(Protocol))
def test_knowing_less_brings_no_new_series_except_that_a_check_is_unknown(seen: Any, protocol: Protocol) -> None:  # noqa: ANN401 - HandshakeFacts
    less = replace(
        seen,
        protocols=dict(seen.protocols) | {protocol: None},
        cipher_suites_incomplete=seen.cipher_suites_incomplete | {protocol},
    )
    before, after = (set(of_targets(values(parse_text(text(report(facts(one))))))) for one in (seen, less))
    new = {name for name, _ in after - before}
    assert new <= {"tls_posture_check_unknown"}


# --- coming and going -------------------------------------------------------------------------------------------------


def test_removing_a_target_takes_all_its_series_at_once() -> None:
    page = exposition(WORST, report(target=make_target(name="other")), full=True)
    page.remove("test")
    found = of_targets(values(parse_text(page_text(page))))
    assert {dict(labels)["target"] for _, labels in found} == {"other"}
    page.remove("other")
    assert "{target=" not in page_text(page)
    page.remove("never there")


def test_a_new_report_replaces_all_lines_of_the_old_one() -> None:
    page = exposition(WORST)
    one = report(Facts(), success=False)
    page.put("test", render_target(one.target, report_samples(one, [KOPANO]), full=False))
    found = {name for name, _ in of_targets(values(parse_text(page_text(page))))}
    assert found == SCAN_ONLY - {"tls_posture_probe_failure"}


def test_older_facts_are_shown_beside_the_failure_of_the_last_scan() -> None:
    one = replace(report(), result=result(Facts(), ended_at=NOW + timedelta(hours=1), success=False))
    assert value("tls_posture_scan_success", one) == 0
    assert value("tls_posture_weak_protocols", one) == 0
    assert value("tls_posture_last_success_timestamp_seconds", one) == NOW.timestamp()
    assert value("tls_posture_last_scan_timestamp_seconds", one) == NOW.timestamp() + 3600


# --- several addresses ------------------------------------------------------------------------------------------------


def at_addresses(*addresses: str | None, **changes: Any) -> list[Report]:  # noqa: ANN401 - any field of Report
    """Everything there can be, at each of these addresses."""
    count = None if None in addresses else len(addresses)
    results = [replace(WORST.result, address=one, addresses_found=count) for one in addresses]
    return [replace(WORST, result=one, **changes) for one in results]


def of_addresses(reports: list[Report]) -> Values:
    page = Exposition(OwnMetrics())
    page.put("test", render_reports(reports, [KOPANO], full=True))
    plain = of_targets(values(parse_text(page_text(page))))
    assert plain == of_targets(values(parse_openmetrics(page_text(page, OPENMETRICS))))
    return plain


def test_every_series_of_an_address_has_its_label_and_those_of_the_target_have_none() -> None:
    found = of_addresses(at_addresses("192.0.2.1", "fe80::1%eth0", disagreements=()))
    for name, labels in found:
        address = dict(labels).get("address")
        assert (address is None) is (name in {family.name for family in ADDRESS_FAMILIES}), name
        assert dict(labels)["team"] == escaped(WORST.target.labels["team"])
    given_out = {sample.family for sample in report_samples(WORST, [KOPANO])}
    assert {name for name, _ in found} == {family.name for family in given_out | set(ADDRESS_FAMILIES)}
    for address in ("192.0.2.1", "fe80::1%eth0"):
        of_address = {
            (name, labels - {("address", address)}) for name, labels in found if ("address", address) in labels
        }
        assert of_address == set(of_targets(values(parse_text(text(WORST, full=True)))))


@pytest.mark.parametrize(("disagreements", "shown"), [(None, None), ((), 0), ((Disagreement("protocols", {}),), 1)])
def test_whether_addresses_disagree_is_known_or_absent(
    disagreements: tuple[Disagreement, ...] | None, shown: float | None
) -> None:
    found = of_addresses(at_addresses("192.0.2.1", "192.0.2.2", disagreements=disagreements))
    key = frozenset({("target", "test"), ("team", escaped(WORST.target.labels["team"]))})
    assert found.get(("tls_posture_addresses_disagree", key)) == shown
    assert found["tls_posture_addresses", key] == 2


def test_without_an_address_there_is_no_label_and_nothing_of_all_addresses() -> None:
    assert of_addresses(at_addresses(None)) == of_targets(values(parse_text(text(WORST, full=True))))
