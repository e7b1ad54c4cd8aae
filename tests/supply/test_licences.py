"""The licences of what the lock installs: known, compatible with ours, and as the page says."""

import pytest

from tools.supply.licences import COMPATIBLE, FILE, LOCK, STATED, compatible, licence, page
from tools.supply.lock import Pinned, read_lock

PINNED = read_lock(LOCK)
ROWS = [line.strip("| \n").split(" | ") for line in FILE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
LISTED = {name: (version, expression) for name, version, expression in ROWS if name in PINNED and version[:1].isdigit()}


def test_the_page_has_each_distribution_of_the_lock() -> None:
    assert {name: version for name, (version, _) in LISTED.items()} == {n: one.version for n, one in PINNED.items()}


@pytest.mark.parametrize("name", PINNED)
def test_the_page_has_its_licence_and_we_may_use_it(name: str) -> None:
    version, expression = LISTED[name]
    assert compatible(expression), f"{name} has a licence that a program under AGPL-3.0-or-later may not contain"
    here = licence(PINNED[name])  # None where it is not installed, or in another version
    assert here in {None, expression}, "run `make generate`"
    assert version == PINNED[name].version


def test_the_page_is_the_generated_one_where_all_is_installed() -> None:
    if all(licence(one) for one in PINNED.values()):
        assert FILE.read_text(encoding="utf-8") == page(), "run `make generate`"
    else:
        pytest.skip("not all that the lock has is installed here")


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-2.0-only", True),
        ("Apache-2.0 AND GPL-2.0-only", False),
        ("(MIT OR GPL-2.0-only) AND ISC", True),
        ("GPL-2.0-only", False),
        ("OpenSSL", False),
        ("BUSL-1.1", False),
        ("CC-BY-NC-4.0", False),
    ],
)
def test_what_we_may_contain(expression: str, may: bool) -> None:
    assert compatible(expression) is may


@pytest.mark.parametrize("expression", sorted(COMPATIBLE))
def test_the_list_has_licences_as_spdx_spells_them(expression: str) -> None:
    assert compatible(expression)


def test_only_what_the_lock_has_is_stated() -> None:
    assert STATED.keys() <= PINNED.keys()


def test_the_licence_of_another_version_than_the_installed_one_is_not_known() -> None:
    assert licence(Pinned("pyyaml", "0.1", "", ("00",), ("x",))) is None
    assert licence(Pinned("no-such-distribution", "1", "", ("00",), ("x",))) is None
