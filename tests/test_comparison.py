"""What counts as better, worse, unknown or changed between two documents."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.comparison import DifferenceKind, compare, counts
from exporter.comparison.documents import OldReports
from exporter.model import Protocol, Verdict

Change = Callable[[dict[str, Any]], object]


def leaf(fingerprint: str = "aa", until: str = "2026-12-30T00:00:00+00:00") -> dict[str, Any]:
    return {"subject": "CN=a", "issuer": "CN=CA", "fingerprint_sha256": fingerprint, "not_after": until}


def made(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A report of a server that complies."""
    finding = {"policy": "p", "check": "protocols", "verdict": "pass", "severity": "critical", "summary": "good"}
    return {
        "target": "shop",
        "address": None,
        "scanned_at": datetime(2026, 11, 22, tzinfo=UTC).isoformat(),
        "success": True,
        "compliant": True,
        "facts": {
            "protocols": dict.fromkeys(Protocol, False) | {"TLSv1.2": True, "TLSv1.3": True},
            "cipher_suites": {"TLSv1.2": ["A", "B"], "TLSv1.3": ["C"]},
            "cipher_suites_incomplete": [],
            "certificate": {"deployments": [{"chain": [leaf()]}]},
        },
        "findings": [finding],
        "grade": {"letter": "A"},
        "failures": [],
    } | changes


def document(*reports: dict[str, Any]) -> OldReports:
    return OldReports.model_validate({"schema_version": 1, "reports": list(reports)})


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    (one,) = compare(document(old), document(new))
    return [(it.direction.value, f"{it.what} {it.subject}".strip(), it.text) for it in one.differences]


def verdict(value: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    report = made()
    report["findings"] = [report["findings"][0] | {"verdict": value} | more]
    return report


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ("pass", "fail", "worse"),
        ("not_applicable", "fail", "worse"),
        ("unknown", "fail", "worse"),
        ("fail", "pass", "better"),
        ("fail", "not_applicable", "better"),
        ("fail", "unknown", "unknown"),
        ("pass", "unknown", "unknown"),
        ("not_applicable", "unknown", "unknown"),
        ("unknown", "pass", "changed"),
        ("pass", "not_applicable", "changed"),
    ],
)
def test_directions_of_verdicts(before: str, after: str, direction: str) -> None:
    ((found, what, _),) = differences(verdict(before), verdict(after))
    assert (found, what) == (direction, "verdict p/protocols")


def test_the_worst_demand_of_a_check_decides_and_is_quoted() -> None:
    old, new = made(), made()
    new["findings"] = [
        {**new["findings"][0], "severity": "info", "verdict": "fail", "summary": "accepts TLSv1.0"},
        new["findings"][0],
    ]
    assert differences(old, new) == [
        ("worse", "verdict p/protocols", "FAILS (info), passed before: accepts TLSv1.0"),
    ]


def test_other_policies_are_not_a_new_failure_but_are_said() -> None:
    new = verdict("fail", policy="q")
    assert differences(made(), new) == [("changed", "policies", "q; p before")]


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ("A", "B", "worse"),
        ("B", "A+", "better"),
        ("A", "T", "worse"),
        ("F", "T", "changed"),
        ("A", None, "unknown"),
        (None, "F", "changed"),
    ],
)
def test_directions_of_grades(before: str | None, after: str | None, direction: str) -> None:
    old, new = made(grade={"letter": before}), made(grade={"letter": after})
    assert differences(old, new) == [(direction, "grade", f"{after or 'unknown'}, {before or 'unknown'} before")]


@pytest.mark.parametrize(
    ("protocol", "before", "after", "direction"),
    [
        ("TLSv1.0", False, True, "worse"),
        ("TLSv1.0", None, True, "worse"),
        ("TLSv1.0", True, False, "better"),
        ("TLSv1.0", None, False, "changed"),
        ("TLSv1.0", True, None, "unknown"),
        ("TLSv1.2", True, False, "changed"),
        ("TLSv1.3", True, False, "worse"),
        ("TLSv1.3", False, True, "better"),
        ("TLSv1.3", None, True, "changed"),
        ("TLSv1.3", None, False, "changed"),
    ],
)
def test_directions_of_protocols(protocol: str, before: bool | None, after: bool | None, direction: str) -> None:
    old, new = made(), made()
    old["facts"]["protocols"][protocol], new["facts"]["protocols"][protocol] = before, after
    (found,) = [one for one in differences(old, new) if one[1] == f"protocol {protocol}"]
    assert found[0] == direction


def test_suites_and_certificates_are_only_changed() -> None:
    new = made()
    new["facts"]["cipher_suites"]["TLSv1.2"] = ["B", "D", "E", "F", "G"]
    new["facts"]["certificate"] = {"deployments": [{"chain": [leaf("bb", "2027-01-01T00:00:00+00:00"), leaf("ca")]}]}
    assert differences(made(), new) == [
        ("changed", "cipher_suites TLSv1.2", "new: D, E, F and 1 more; gone: A"),
        ("changed", "certificate", "new: CN=a by CN=CA until 2027-01-01; gone: CN=a by CN=CA until 2026-12-30"),
    ]


def test_lists_that_may_lack_suites_are_not_compared() -> None:
    new = made()
    new["facts"] |= {"cipher_suites": {"TLSv1.2": ["A"]}, "cipher_suites_incomplete": ["TLSv1.2", "TLSv1.3"]}
    assert differences(made(), new) == []


UNREACHED = made(
    success=False,
    compliant=None,
    facts={"protocols": None, "cipher_suites": None, "certificate": None},
    findings=[verdict("unknown")["findings"][0]],
    grade=None,
    failures=[{"probe": "handshake", "reason": "connect_refused", "detail": "port 443"}],
)


def test_a_target_that_cannot_be_scanned_is_one_line_and_is_never_better() -> None:
    expected = [("unknown", "target", "could not be scanned: connect_refused: port 443")]
    assert differences(made(), UNREACHED) == expected
    assert differences(verdict("fail"), UNREACHED) == expected
    assert differences(UNREACHED, UNREACHED) == []
    assert differences(UNREACHED, made()) == [("new", "target", "complies; could not be scanned before")]


def test_targets_are_listed_worst_first_and_by_address() -> None:
    names = ["worse", "unknown", "gone", "better", "changed", "same"]
    old = [made(target=name) for name in names] + [made(target="all", address=str(at)) for at in (1, 2)]
    old[3] = verdict("fail") | {"target": "better"}
    new = [one | {} for one in old if one["target"] != "gone"] + [made(target="new", compliant=False)]
    for at, change in enumerate((verdict("fail"), UNREACHED, made(), made(grade={"letter": "A+"}))):
        new[at] = change | {"target": new[at]["target"]}
    new[3] = made(target="changed", facts=made()["facts"] | {"cipher_suites": {"TLSv1.2": ["A"], "TLSv1.3": ["C"]}})
    found = compare(document(*old), document(*new))
    assert [(one.target, one.address, one.direction.value) for one in found] == [
        *((name, None, name) for name in ("worse", "unknown", "gone", "better", "changed", "new")),
        ("all", "1", "same"),
        ("all", "2", "same"),
        ("same", None, "same"),
    ]
    assert found[-4].differences[0].text == "DOES NOT COMPLY; is not in the old document"
    assert counts(found)[DifferenceKind.SAME] == 3


_VALUES = st.sampled_from([True, False, None])
_REPORTS = st.builds(
    lambda protocols, verdict_, letter: made(
        facts={"protocols": protocols},
        findings=[made()["findings"][0] | {"verdict": verdict_}],
        grade={"letter": letter},
    ),
    st.fixed_dictionaries(dict.fromkeys(Protocol, _VALUES)),
    st.sampled_from([str(one) for one in Verdict]),
    st.sampled_from(["A+", "B", "F", "T", None]),
)


@given(_REPORTS, _REPORTS)
def test_better_and_worse_need_a_value_now_and_the_same_is_no_difference(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert differences(old, old) == []
    for direction, what, text in differences(old, new):
        if direction in {"better", "worse"}:
            assert not text.startswith("unknown"), what
        else:
            assert direction in {"unknown", "changed"}
