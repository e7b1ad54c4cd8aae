"""A server configured to a policy passes all of it, and each change fails the one check about it."""

from collections import Counter

import pytest

from exporter.model import CipherOrder, Severity, Verdict
from exporter.policies import load_policy, shipped
from tests.policies.deviations import (
    CONFIGURED,
    DEVIATIONS,
    DHE,
    FFDHE3072,
    NOT_APPLICABLE,
    SCHEMES,
    STATIC_ECDH,
    SUITES,
    TLS1_3,
    UNTRUSTED,
    C,
)
from tests.support.configured import (
    Change,
    both,
    seen_on,
    with_dhe,
    with_group,
    with_order,
    with_scheme,
    with_suite,
    without,
)

ALL_DEVIATIONS = [
    pytest.param(policy, change, expected, id=f"{policy}: {name}")
    for policy, deviations in DEVIATIONS.items()
    for name, change, expected in deviations
]


@pytest.mark.parametrize("policy", list(shipped()))
def test_a_server_configured_to_a_policy_passes_all_of_it(policy: str) -> None:
    verdicts = CONFIGURED[policy].verdicts(policy)
    asked = {(name, demand.severity) for name, demands in load_policy(policy).demands.items() for demand in demands}
    assert set(verdicts) == asked
    open_ones = {about for about, verdict in verdicts.items() if verdict is not Verdict.PASS}
    assert {about: verdicts[about] for about in open_ones} == dict.fromkeys(
        NOT_APPLICABLE.get(policy, set()), Verdict.NOT_APPLICABLE
    )


@pytest.mark.parametrize(("policy", "change", "expected"), ALL_DEVIATIONS)
def test_a_deviation_fails_what_it_is_about_and_nothing_else(
    policy: str, change: Change, expected: set[tuple[str, Severity]]
) -> None:
    verdicts = change(CONFIGURED[policy]).verdicts(policy)
    assert {about for about, verdict in verdicts.items() if verdict is Verdict.FAIL} == expected
    assert Verdict.UNKNOWN not in verdicts.values()


@pytest.mark.parametrize("policy", list(shipped()))
def test_each_policy_has_eight_deviations_at_least_that_fail_one_check(policy: str) -> None:
    # The grade sums up what others look at.
    single = [name for name, _, said in DEVIATIONS[policy] if len({check for check, _ in said} - {"grade"}) == 1]
    assert len(single) >= 8
    assert max(Counter(name for name, _, _ in DEVIATIONS[policy]).values()) == 1


@pytest.mark.parametrize("policy", list(shipped()))
def test_each_demand_of_a_policy_fails_by_some_deviation(policy: str) -> None:
    failed = {about for _, _, expected in DEVIATIONS[policy] for about in expected}
    asked = {(name, demand.severity) for name, demands in load_policy(policy).demands.items() for demand in demands}
    assert failed == asked


@pytest.mark.parametrize(
    ("policy", "change", "about", "verdict"),
    [
        ("bsi-tr-02102-2", with_dhe(DHE, FFDHE3072), (SUITES, C), Verdict.PASS),
        ("bsi-tr-02102-2", both(with_dhe(DHE, FFDHE3072), seen_on(2029, 12, 31)), (SUITES, C), Verdict.PASS),
        ("bsi-tr-02102-2", both(with_suite(STATIC_ECDH), seen_on(2026, 12, 31)), (SUITES, C), Verdict.PASS),
        ("bsi-tr-02102-2", seen_on(2031, 12, 31), ("protocols", C), Verdict.PASS),
        ("bsi-tr-02102-2", both(with_scheme("rsa_pkcs1_sha256"), seen_on(2025, 12, 31)), SCHEMES, Verdict.PASS),
        ("bsi-tr-02102-2", both(with_scheme("rsa_pkcs1_sha256"), seen_on(2026, 1, 1)), SCHEMES, Verdict.FAIL),
        ("nist-800-52r2", both(without(TLS1_3), seen_on(2023, 12, 31)), ("protocols", C), Verdict.PASS),
        ("nist-800-52r2", both(without(TLS1_3), seen_on(2024, 1, 1)), ("protocols", C), Verdict.FAIL),
        ("pci-dss-4", both(UNTRUSTED, seen_on(2025, 3, 31)), ("certificate_valid", C), Verdict.NOT_APPLICABLE),
        ("pci-dss-4", both(UNTRUSTED, seen_on(2025, 4, 1)), ("certificate_valid", C), Verdict.FAIL),
    ],
)
def test_a_date_in_a_policy_counts_from_its_day_and_to_its_day(
    policy: str, change: Change, about: tuple[str, Severity], verdict: Verdict
) -> None:
    assert change(CONFIGURED[policy]).verdicts(policy)[about] is verdict


@pytest.mark.parametrize("group", ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"])
@pytest.mark.parametrize("policy", ["bcp195", "nist-800-52r2", "bsi-tr-02102-2", "ncsc-nl-2025", "pci-dss-4"])
def test_hybrid_groups_fail_no_policy_of_an_authority(policy: str, group: str) -> None:
    assert Verdict.FAIL not in with_group(group)(CONFIGURED[policy]).verdicts(policy).values()


@pytest.mark.parametrize("policy", ["mozilla-modern", "mozilla-intermediate"])
@pytest.mark.parametrize("order", list(CipherOrder))
def test_whose_order_decides_is_no_matter_to_mozilla(policy: str, order: CipherOrder) -> None:
    assert Verdict.FAIL not in with_order(order)(CONFIGURED[policy]).verdicts(policy).values()
