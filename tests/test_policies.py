import json
import os
import re
import time
from datetime import date
from pathlib import Path

import pytest

from exporter.checks.cipher_suites import CipherSuitesDemand
from exporter.checks.protocols import ProtocolsDemand
from exporter.errors import ConfigError
from exporter.model import Severity
from exporter.policies import NotExpressed, load_policy, shipped, wrong_policy
from exporter.policies.form import json_schema
from exporter.policies.loader import MOST_BELOW
from exporter.yamlfile import read_document
from tests.support.json_schema import violations

ROOT = Path(__file__).parent.parent
SCHEMA = json_schema()

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


ASKS_FOR_NOTHING = [
    "own.yaml:6:14: checks.protocols: asks for nothing; give it required, allowed or forbidden",
    "own.yaml:7:9: checks.hsts: is neither a demand nor a list of them",
    "own.yaml:8:8: checks.caa: is empty",
]
TWO_ALIKE = """\
checks:
  compression:
    - {severity: info, source: x, allowed: false}
    - {severity: info, source: y, allowed: false}"""


def write(folder: Path, text: str, name: str = "own.yaml") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with the file, its folder left out."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as raised:
        load_policy(path)
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_the_checklist_allows_exactly_its_ten_suites() -> None:
    demand = load_policy("kopano-checklist").demands["cipher_suites"][0]
    assert isinstance(demand, CipherSuitesDemand)
    assert {name for entry in demand.allowed or () for name in entry.names} == TEN_SUITES
    assert all(not entry.days and entry.where is None for entry in demand.allowed or ())
    assert demand.tls13_allowed is None


def test_the_checklist_allows_exactly_tls_1_2_and_1_3() -> None:
    demand = load_policy("kopano-checklist").demands["protocols"][0]
    assert isinstance(demand, ProtocolsDemand)
    assert [entry.text for entry in demand.allowed or ()] == ["TLSv1.2", "TLSv1.3"]


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
    demand = load_policy("kopano-checklist").demands[check][0]
    assert demand.severity is severity
    assert demand.source.startswith("step ")
    assert demanded.items() <= demand.model_dump().items()


def test_the_checklist_demands_nothing_else() -> None:
    policy = load_policy("kopano-checklist")
    assert set(policy.demands) == {
        *("protocols", "cipher_suites", "cipher_order", "compression"),
        *("vulnerabilities", "certificate_valid", "hsts", "hsts_on_errors", "server_software", "caa"),
        *("grade", "clients"),
    }
    assert (policy.name, policy.version, policy.file) == ("kopano-checklist", "2017-10-18", KOPANO_FILE)


def test_demands_of_one_check_stand_with_the_worst_first(tmp_path: Path) -> None:
    three = [
        f"    - {{severity: {severity}, source: x, allowed: false}}" for severity in ("info", "critical", "warning")
    ]
    text = OWN[: OWN.index("  cipher_suites")] + "\n".join(["  compression:", *three, ""])
    demands = load_policy(write(tmp_path, text)).demands["compression"]
    assert [demand.severity for demand in demands] == ["critical", "warning", "info"]


def test_what_a_policy_is_stands_in_its_head(tmp_path: Path) -> None:
    head = """\
source_url: https://policy.example/
published: 2026-01-30
not_expressed:
  - {rule: keys are rotated, section: "3.3", why: cannot be seen from outside}
checks:"""
    policy = load_policy(write(tmp_path, OWN.replace("checks:", head)))
    assert (policy.source_url, policy.published, policy.extends) == (
        "https://policy.example/",
        date(2026, 1, 30),
        None,
    )
    assert policy.not_expressed == (
        NotExpressed(rule="keys are rotated", section="3.3", why="cannot be seen from outside"),
    )


EXTENDING = """\
name: stricter
title: Stricter
version: "1"
source: the test
extends: {extends}
checks:
"""


def test_a_policy_extends_a_shipped_one_check_by_check(tmp_path: Path) -> None:
    """Its own section replaces the inherited one, null removes it. The rest is inherited, except the head."""
    text = EXTENDING.format(extends="kopano-checklist")
    own = "  protocols: {severity: info, source: x, allowed: [TLSv1.3]}\n  caa: null\n  dnssec: null\n"
    policy, base = load_policy(write(tmp_path, text + own)), load_policy("kopano-checklist")
    assert list(policy.demands) == [name for name in base.demands if name != "caa"]
    assert {name for name, demands in policy.demands.items() if demands == base.demands[name]} == set(base.demands) - {
        *("protocols", "caa")
    }
    assert [demand.severity for demand in policy.demands["protocols"]] == ["info"]
    assert (policy.name, policy.title, policy.source, policy.extends) == (
        "stricter",
        "Stricter",
        "the test",
        "kopano-checklist",
    )


def test_a_policy_extends_a_file_beside_it_and_that_one_another(tmp_path: Path) -> None:
    write(tmp_path, OWN)
    (tmp_path / "below").mkdir()
    middle = "  compression: {severity: info, source: middle, allowed: false}\n"
    write(tmp_path, EXTENDING.format(extends="./own.yaml") + middle, "middle.yaml")
    top = "  caa: {severity: info, source: top, required: true}\n"
    policy = load_policy(write(tmp_path / "below", EXTENDING.format(extends="../middle.yaml") + top))
    assert {name: demands[0].source for name, demands in policy.demands.items()} == {
        "cipher_suites": "nowhere",
        "compression": "middle",
        "caa": "top",
    }
    write(tmp_path, OWN.replace("nowhere", "here"))
    os.utime(tmp_path / "own.yaml", ns=(0, 1))
    assert load_policy(str(tmp_path / "below" / "own.yaml")).demands["cipher_suites"][0].source == "here"


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("kopano-cheklist", "unknown policy 'kopano-cheklist'; did you mean kopano-checklist?"),
        ("./none.yaml", "'./none.yaml' is not a file"),
        ("own.yaml", "goes in a circle: own.yaml extends own.yaml"),
        ("other.yaml", "goes in a circle: own.yaml extends other.yaml extends own.yaml"),
        ("7", "7 is not text; put it in quotes"),
        ('"./a\\0.yaml"', "'./a\\x00.yaml' is not a file"),
        (f"./{'a' * 300}.yaml", f"'./{'a' * 300}.yaml' is not a file"),
    ],
)
def test_what_cannot_be_extended_is_named(tmp_path: Path, extends: str, message: str) -> None:
    other = write(tmp_path, EXTENDING.format(extends="own.yaml") + "  {}\n", "other.yaml")
    (problem,) = problems(tmp_path, EXTENDING.format(extends=extends) + "  {}\n")
    assert problem == f"{Path(other).name if extends == 'other.yaml' else 'own.yaml'}:5:10: extends: {message}"


def test_a_chain_of_policies_has_an_end(tmp_path: Path) -> None:
    for number in range(400):
        write(tmp_path, EXTENDING.format(extends=f"./{number + 1}.yaml") + "  {}\n", f"{number}.yaml")
    with pytest.raises(ConfigError) as raised:
        load_policy(str(tmp_path / "0.yaml"))
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in raised.value.problems] == [
        f"{MOST_BELOW}.yaml:5:10: extends: is the end of a chain of more than {MOST_BELOW} policies"
    ]


def test_mistakes_of_a_policy_and_of_the_one_it_extends_are_all_named(tmp_path: Path) -> None:
    write(tmp_path, OWN.replace("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA385"), "base.yaml")
    path = write(tmp_path, EXTENDING.format(extends="base.yaml") + "  cca: {}\n  caa: {required: true}\n")
    assert wrong_policy(path) == (
        f"policy file {tmp_path}/base.yaml:11:21: checks.cipher_suites.tls13_allowed.0: 'TLS_AES_256_GCM_SHA385' is "
        f"not a registered cipher suite; did you mean TLS_AES_256_GCM_SHA384?; "
        f"{path}:7:3: checks.cca: unknown key; did you mean caa?; "
        f"{path}:8:8: checks.caa.severity: is required; "
        f"{path}:8:8: checks.caa.source: is required"
    )


@pytest.mark.parametrize("name", [name for name in shipped() if name != "kopano-checklist"])
def test_every_shipped_policy_says_where_its_source_is_and_of_when(name: str) -> None:
    policy = load_policy(name)
    assert policy.source_url is not None
    assert policy.published is not None


def test_the_published_schema_is_as_generated() -> None:
    """Made by tools/write_policy_schema.py."""
    file = ROOT / "docs" / "policy.schema.json"
    assert file.read_text(encoding="utf-8") == json.dumps(SCHEMA, indent=2) + "\n"


@pytest.mark.parametrize("name", list(shipped()))
def test_shipped_policies_are_of_the_published_form(name: str) -> None:
    assert list(violations(read_document(shipped()[name]).data, SCHEMA)) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("severity: info", "severity: bad", "checks.cipher_suites"),
        ("GCM-SHA384", "GCM-SHA348", "checks.cipher_suites"),
        ("name: own", "name: Own", "name"),
        ("  cipher_suites:", "  cipher_suits:", "checks"),
        ("title: Our own\n", "", ""),
        ("title: Our own", "published: today\ntitle: Our own", "published"),
    ],
)
def test_the_schema_finds_mistakes(tmp_path: Path, old: str, new: str, where: str) -> None:
    document = read_document(Path(write(tmp_path, OWN)))
    assert list(violations(document.data, SCHEMA)) == []
    document = read_document(Path(write(tmp_path, OWN.replace(old, new))))
    assert [path for path, _ in violations(document.data, SCHEMA)] == [where]


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
    demand = policy.demands["cipher_suites"][0]
    assert isinstance(demand, CipherSuitesDemand)
    assert [entry.names for entry in demand.allowed or ()] == [("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",)]
    assert [entry.names for entry in demand.tls13_allowed or ()] == [("TLS_AES_256_GCM_SHA384",)]
    assert wrong_policy(path) is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    assert load_policy(path).title == "Our own"
    write(tmp_path, OWN.replace("Our own", "Another"))
    os.utime(path, ns=(0, 1))  # however coarse the file system's clock is
    assert load_policy(path).title == "Another"


def test_a_file_in_place_of_another_is_read_again_though_both_are_of_one_time(tmp_path: Path) -> None:
    """Images and stores of packages give all files the same time."""
    path, other = write(tmp_path, OWN), write(tmp_path, OWN.replace("Our own", "Another"), "other.yaml")
    os.utime(path, ns=(0, 1))
    os.utime(other, ns=(0, 1))
    assert load_policy(path).title == "Our own"
    Path(other).replace(path)
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
                    "own.yaml:10:9: checks.cipher_suites.allowed.0: 'ECDHE-RSA-AES256-GCM-SHA348' is not a "
                    "registered cipher suite; did you mean ECDHE-RSA-AES256-GCM-SHA384?"
                )
            ],
        ),
        (
            "[TLS_AES_256_GCM_SHA384]",
            "[TLS_AES_256_GCM_SHA384, TLS_AES_256_GCM_SHA385]",
            [
                (
                    "own.yaml:11:45: checks.cipher_suites.tls13_allowed.1: 'TLS_AES_256_GCM_SHA385' is not a "
                    "registered cipher suite; did you mean TLS_AES_256_GCM_SHA384?"
                )
            ],
        ),
        (
            "- ECDHE-RSA-AES256-GCM-SHA384",
            "- zzzz\n      - qqqq",
            [
                "own.yaml:10:9: checks.cipher_suites.allowed.0: 'zzzz' is not a registered cipher suite",
                "own.yaml:11:9: checks.cipher_suites.allowed.1: 'qqqq' is not a registered cipher suite",
            ],
        ),
        (
            "severity: info",
            "severity: bad",
            ["own.yaml:7:15: checks.cipher_suites.severity: 'bad' is not one of 'critical', 'warning' or 'info'"],
        ),
        ("    source: nowhere\n", "", ["own.yaml:7:5: checks.cipher_suites.source: is required"]),
        ("title: Our own\n", "", ["own.yaml:1:1: title: is required"]),
        (
            "  cipher_suites:",
            "  cipher_suits:",
            ["own.yaml:6:3: checks.cipher_suits: unknown key; did you mean cipher_suites?"],
        ),
        ("name: own", "name: Own", ["own.yaml:1:7: name: "]),
        (
            "    severity: info",
            "    severity: info\n    severity: info",
            ["own.yaml:8:5: checks.cipher_suites.severity: duplicate key, first on line 7"],
        ),
        (
            "      - ECDHE-RSA-AES256-GCM-SHA384",
            "      - {where: aed}\n      - {is: [AES128-SHA, AES128-SHB], until: 2027-13-01}\n      - {}\n      - 7",
            [
                (
                    "own.yaml:10:17: checks.cipher_suites.allowed.0.where: 'aed' is not a property of cipher suites; "
                    "did you mean aead?"
                ),
                (
                    "own.yaml:11:27: checks.cipher_suites.allowed.1.is.1: 'AES128-SHB' is not a registered cipher suite"
                    "; did you mean AES128-SHA?"
                ),
                "own.yaml:11:47: checks.cipher_suites.allowed.1.until: '2027-13-01' is not a day of the calendar",
                "own.yaml:12:9: checks.cipher_suites.allowed.2: has either `is` or `where`",
                "own.yaml:13:9: checks.cipher_suites.allowed.3: is neither a name nor a mapping with `is`",
            ],
        ),
        (
            "[TLS_AES_256_GCM_SHA384]",
            "[AES128-SHA]",
            ["own.yaml:7:5: checks.cipher_suites: TLS_RSA_WITH_AES_128_CBC_SHA belongs into allowed"],
        ),
        (
            "title: Our own",
            "title: Our own\npublished: 30 January 2026",
            ["own.yaml:3:12: published: '30 January 2026' is not a day, such as 2027-01-01"],
        ),
        (
            "title: Our own",
            "title: Our own\nsource_url: example.org/policy",
            ["own.yaml:3:13: source_url: 'example.org/policy' does not match "],
        ),
        (
            "title: Our own",
            "title: Our own\nnot_expressed:\n  - {rule: keys are rotated, why: cannot be seen}",
            ["own.yaml:4:5: not_expressed.0.section: is required"],
        ),
        ("checks:", "checks:\n  protocols: {severity: info, source: x}\n  hsts: 7\n  caa: []", ASKS_FOR_NOTHING),
        (
            "checks:",
            TWO_ALIKE.replace(", source: y, allowed: false", ", source: y"),
            ["own.yaml:8:7: checks.compression.1.allowed: is required"],
        ),
        (
            "checks:",
            TWO_ALIKE,
            [
                (
                    "own.yaml:8:18: checks.compression.1.severity: another demand of this check is info, on line 7; "
                    "each needs its own"
                )
            ],
        ),
    ],
)
def test_every_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert OWN.count(old) == 1
    found = problems(tmp_path, OWN.replace(old, new))
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


NUMBERS = """
  dh_parameters: {severity: info, source: x, min_bits: true, named_only: 1}
  certificate_key: {severity: info, source: x, min_rsa_bits: 2048.5, leaf_only: "no"}
  certificate_lifetime: {severity: info, source: x, max_days: 1.0e999}
  certificate_expiry: {severity: info, source: x, min_days: true, min_lifetime_share: "0.5"}
  hsts: {severity: info, source: x, min_max_age_seconds: "31536000"}
"""


def test_numbers_are_numbers_and_switches_are_true_or_false(tmp_path: Path) -> None:
    assert problems(tmp_path, OWN[: OWN.index("checks:")] + f"checks:{NUMBERS}") == [
        "own.yaml:6:56: checks.dh_parameters.min_bits: is not a whole number",
        "own.yaml:6:74: checks.dh_parameters.named_only: is neither true nor false",
        "own.yaml:7:62: checks.certificate_key.min_rsa_bits: is not a whole number",
        "own.yaml:7:81: checks.certificate_key.leaf_only: is neither true nor false",
        "own.yaml:8:63: checks.certificate_lifetime.max_days: is not a finite number",
        "own.yaml:9:61: checks.certificate_expiry.min_days: is not a number",
        "own.yaml:9:87: checks.certificate_expiry.min_lifetime_share: is not a number",
        "own.yaml:10:58: checks.hsts.min_max_age_seconds: is not a whole number",
    ]


def test_many_wrong_names_are_soon_answered(tmp_path: Path) -> None:
    """A list in the names of another library has hundreds of them."""
    wrong = ", ".join(f"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA{number}" for number in range(600, 700))
    begun = time.process_time()
    found = problems(tmp_path, OWN.replace("ECDHE-RSA-AES256-GCM-SHA384", f"{{is: [{wrong}]}}"))
    assert len(found) == 100
    assert all(problem.endswith("did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?") for problem in found)
    assert time.process_time() - begun < 10


def test_a_missing_policy_file_is_an_error(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"none\.yaml:1:1: cannot be read: No such file"):
        load_policy(path)
    assert wrong_policy(path) == f"policy file {path}:1:1: cannot be read: No such file or directory"


def test_a_path_that_no_file_can_have_is_an_error() -> None:
    assert wrong_policy("./a\0.yaml") == "policy file a\0.yaml:1:1: cannot be read: embedded null byte"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert wrong_policy("kopano-cheklist") == "unknown policy 'kopano-cheklist'; did you mean kopano-checklist?"


def test_an_unknown_name_like_no_other_is_answered_with_all() -> None:
    assert wrong_policy("zzz") == f"unknown policy 'zzz'; known are {', '.join(shipped())}"


def test_a_shipped_policy_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load_policy("zzz")


def test_the_policy_with_checks_that_few_have_loads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "own-policy.md").read_text(encoding="utf-8")
    (own,) = re.findall(r"```yaml\n(# more.yaml\n.*?)```", text, flags=re.DOTALL)
    file = tmp_path / "own.yaml"
    file.write_text(own, encoding="utf-8")
    assert list(violations(read_document(file).data, SCHEMA)) == []
    assert set(load_policy(str(file)).demands) == {
        *("certificate_expiry", "certificate_lifetime", "certificate_key", "certificate_signature"),
        *("certificate_chain", "forward_secrecy", "server_software"),
        *("http_redirect", "hsts_preload", "caa_issuer", "dnssec", "dane", "mta_sts", "mta_sts_policy"),
    }
