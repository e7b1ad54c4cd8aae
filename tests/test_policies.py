import os
import re
from pathlib import Path

import pytest

from exporter.checks.cipher_suites import CipherSuitesDemand
from exporter.checks.protocols import ProtocolsDemand
from exporter.errors import ConfigError
from exporter.model import Severity
from exporter.policies import load_policy, shipped, wrong_policy

KOPANO_FILE = shipped()["kopano-checklist"]

TEN_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
}

OWN = """\
name: own
title: Our own
version: "1"
source: the test
checks:
  cipher_suites:
    severity: info
    source: nowhere
    allowed:
      - ECDHE-RSA-AES256-GCM-SHA384
    tls13_allowed: [TLS_AES_256_GCM_SHA384]
"""


def write(folder: Path, text: str) -> str:
    file = folder / "own.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with the file, its folder left out."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as raised:
        load_policy(path)
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_the_checklist_allows_exactly_its_ten_suites() -> None:
    demand = load_policy("kopano-checklist").demands["cipher_suites"]
    assert isinstance(demand, CipherSuitesDemand)
    assert demand.allowed == TEN_SUITES
    assert demand.tls13_allowed is None


def test_the_checklist_allows_exactly_tls_1_2_and_1_3() -> None:
    demand = load_policy("kopano-checklist").demands["protocols"]
    assert isinstance(demand, ProtocolsDemand)
    assert demand.allowed == {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize(
    ("check", "severity", "demanded"),
    [
        ("protocols", Severity.CRITICAL, {}),
        ("cipher_suites", Severity.CRITICAL, {}),
        ("cipher_order", Severity.WARNING, {"required": "server"}),
        ("compression", Severity.CRITICAL, {"allowed": False}),
        ("hsts", Severity.WARNING, {"min_max_age_seconds": 31536000}),
        ("server_software", Severity.WARNING, {"maintained": True}),
        ("caa", Severity.WARNING, {"required": True}),
    ],
)
def test_the_checklist_demands_its_other_steps(check: str, severity: Severity, demanded: dict[str, object]) -> None:
    demand = load_policy("kopano-checklist").demands[check]
    assert demand.severity is severity
    assert demand.source.startswith("step ")
    assert demanded.items() <= demand.model_dump().items()


def test_the_checklist_demands_nothing_else() -> None:
    policy = load_policy("kopano-checklist")
    assert set(policy.demands) == {
        *("protocols", "cipher_suites", "cipher_order", "compression"),
        *("vulnerabilities", "certificate_valid", "hsts", "hsts_on_errors", "server_software", "caa"),
    }
    assert (policy.name, policy.version, policy.file) == ("kopano-checklist", "2017-10-18", KOPANO_FILE)


@pytest.mark.parametrize("name", list(shipped()))
def test_every_shipped_policy_loads_under_the_name_of_its_file(name: str) -> None:
    policy = load_policy(name)
    assert policy.name == name
    assert policy.title
    assert policy.source
    assert policy.demands
    assert wrong_policy(name) is None


def test_an_own_policy_is_read_by_path(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    policy = load_policy(path)
    assert (policy.name, policy.file, list(policy.demands)) == ("own", Path(path), ["cipher_suites"])
    demand = policy.demands["cipher_suites"]
    assert isinstance(demand, CipherSuitesDemand)
    assert demand.allowed == {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}
    assert demand.tls13_allowed == frozenset({"TLS_AES_256_GCM_SHA384"})
    assert wrong_policy(path) is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    assert load_policy(path).title == "Our own"
    write(tmp_path, OWN.replace("Our own", "Another"))
    os.utime(path, ns=(0, 1))  # however coarse the file system's clock is
    assert load_policy(path).title == "Another"


def test_a_check_without_a_section_is_not_demanded(tmp_path: Path) -> None:
    empty = OWN[: OWN.index("checks:")] + "checks: {}\n"
    assert load_policy(write(tmp_path, empty)).demands == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "- ECDHE-RSA-AES256-GCM-SHA384",
            "- ECDHE-RSA-AES256-GCM-SHA348",
            [
                (
                    "own.yaml:10:9: checks.cipher_suites.allowed.0: 'ECDHE-RSA-AES256-GCM-SHA348' is no registered "
                    "cipher suite; did you mean ECDHE-RSA-AES256-GCM-SHA384?"
                )
            ],
        ),
        (
            "[TLS_AES_256_GCM_SHA384]",
            "[TLS_AES_256_GCM_SHA384, TLS_AES_256_GCM_SHA385]",
            [
                (
                    "own.yaml:11:45: checks.cipher_suites.tls13_allowed.1: 'TLS_AES_256_GCM_SHA385' is no registered "
                    "cipher suite; did you mean TLS_AES_256_GCM_SHA384?"
                )
            ],
        ),
        (
            "- ECDHE-RSA-AES256-GCM-SHA384",
            "- zzzz\n      - qqqq",
            [
                "own.yaml:10:9: checks.cipher_suites.allowed.0: 'zzzz' is no registered cipher suite",
                "own.yaml:11:9: checks.cipher_suites.allowed.1: 'qqqq' is no registered cipher suite",
            ],
        ),
        (
            "severity: info",
            "severity: bad",
            ["own.yaml:7:15: checks.cipher_suites.severity: "],
        ),
        ("    source: nowhere\n", "", ["own.yaml:7:5: checks.cipher_suites.source: is required"]),
        ("title: Our own\n", "", ["own.yaml:1:1: title: is required"]),
        ("  cipher_suites:", "  cipher_suits:", ["own.yaml:6:3: checks.cipher_suits: unknown key"]),
        ("name: own", "name: Own", ["own.yaml:1:7: name: "]),
        (
            "    severity: info",
            "    severity: info\n    severity: info",
            ["own.yaml:8:5: checks.cipher_suites.severity: duplicate key, first on line 7"],
        ),
    ],
)
def test_every_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert OWN.count(old) == 1
    found = problems(tmp_path, OWN.replace(old, new))
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


def test_a_missing_policy_file_is_an_error(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"none\.yaml:1:1: cannot be read: No such file"):
        load_policy(path)
    assert wrong_policy(path) == f"policy file {path}:1:1: cannot be read: No such file or directory"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert wrong_policy("kopano-cheklist") == "unknown policy 'kopano-cheklist'; did you mean kopano-checklist?"


def test_an_unknown_name_like_no_other_is_answered_with_all() -> None:
    assert wrong_policy("zzz") == f"unknown policy 'zzz'; known are {', '.join(shipped())}"


def test_a_shipped_policy_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load_policy("zzz")


def test_the_policy_in_the_readme_loads(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    (own,) = re.findall(r"```yaml\n(name: own\n.*?)```", text, flags=re.DOTALL)
    file = tmp_path / "own.yaml"
    file.write_text(own, encoding="utf-8")
    assert set(load_policy(str(file)).demands) == {
        *("certificate_expiry", "certificate_key", "certificate_chain", "forward_secrecy", "server_software"),
        *("http_redirect", "hsts_preload", "caa_issuer", "dnssec", "dane", "mta_sts", "mta_sts_policy"),
    }
