import pytest
from pydantic import ValidationError

from exporter.checks.vulnerabilities import CHECK, VulnerabilitiesDemand
from exporter.derived.verdicts import Attack, AttackVerdict
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.model import Verdict
from tests.support.facts import case

FIELDS = {"severity": "critical", "source": "test"}
DEMAND = VulnerabilitiesDemand.model_validate(FIELDS | {"forbidden": ["robot", "heartbleed", "rc4"]})


def derived(**verdicts: bool | None) -> Vulnerabilities:
    """These verdicts, all others False."""
    told = {attack: verdicts.get(attack.value, False) for attack in Attack}
    return Vulnerabilities(
        {
            attack: AttackVerdict(state, f"why {attack}", (f"seen {attack}",) if state else (), "CVE-0000-0000")
            for attack, state in told.items()
        }
    )


@pytest.mark.parametrize(
    ("seen", "verdict", "summary", "evidence"),
    [
        (derived(), Verdict.PASS, "is open to none of 3 known attacks", {}),
        (derived(beast=True, drown=None), Verdict.PASS, "is open to none of 3 known attacks", {}),
        (derived(robot=True), Verdict.FAIL, "is open to robot", {"robot": ("seen robot",)}),
        (
            derived(robot=True, rc4=True, heartbleed=None),
            Verdict.FAIL,
            "is open to robot, rc4",
            {"robot": ("seen robot",), "rc4": ("seen rc4",)},
        ),
        (
            derived(heartbleed=None, robot=None, beast=True),
            Verdict.UNKNOWN,
            "it is not known whether it is open to heartbleed, robot",
            {"unknown": ("heartbleed: why heartbleed", "robot: why robot")},
        ),
    ],
)
def test_no_forbidden_attack_may_work(
    seen: Vulnerabilities, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(seen), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_where_nothing_was_derived_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "it is not known what the server is open to")


def test_every_wrong_name_is_reported_at_its_own_place_with_a_near_one() -> None:
    with pytest.raises(ValidationError) as raised:
        VulnerabilitiesDemand.model_validate(FIELDS | {"forbidden": ["hartbleed", "rc4", "zzzz", 7]})
    errors = {error["loc"][:2]: error["msg"] for error in raised.value.errors()}
    assert set(errors) == {("forbidden", 0), ("forbidden", 2), ("forbidden", 3)}
    assert errors["forbidden", 0].endswith("'hartbleed' is not an attack that is looked for; did you mean heartbleed?")
    assert "known are heartbleed, ccs_injection" in errors["forbidden", 2]


@pytest.mark.parametrize("fields", [{}, {"forbidden": []}, {"forbidden": ["rc4"], "allowed": ["rc4"]}])
def test_a_demand_names_what_it_forbids_and_nothing_else(fields: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        VulnerabilitiesDemand.model_validate(FIELDS | fields)


@pytest.mark.parametrize(
    ("forbidden", "verdict", "summary", "sources"),
    [
        (
            [{"is": "robot", "from": "2026-11-22", "source": "7.2"}, "rc4"],
            Verdict.FAIL,
            "is open to robot, rc4",
            ("7.2",),
        ),
        ([{"is": "robot", "from": "2026-11-23"}, "rc4"], Verdict.FAIL, "is open to rc4", ()),
        (
            [{"is": ["robot", "rc4"], "until": "2026-11-21"}],
            Verdict.NOT_APPLICABLE,
            "nothing of it is in force today",
            (),
        ),
    ],
)
def test_an_attack_counts_on_its_days_alone(
    forbidden: list[object], verdict: Verdict, summary: str, sources: tuple[str, ...]
) -> None:
    demand = VulnerabilitiesDemand.model_validate(FIELDS | {"forbidden": forbidden})
    outcome = CHECK.judge(case(derived(robot=True, rc4=True)), demand)
    assert (outcome.verdict, outcome.summary, outcome.sources) == (verdict, summary, sources)
