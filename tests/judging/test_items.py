"""Entries of lists, and the dates from which entries and demands apply."""

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.judging.check import Demand
from exporter.judging.items import Item, SuiteItem, listed
from exporter.judging.names import GroupName, HashName, ProtocolName


class Lists(BaseModel):
    model_config = ConfigDict(extra="forbid")

    groups: tuple[Item[GroupName], ...] = ()
    suites: tuple[SuiteItem, ...] = ()


def groups(*entries: object) -> tuple[Item[str], ...]:
    return Lists.model_validate({"groups": list(entries)}).groups


def test_a_name_alone_is_short_for_a_mapping() -> None:
    short, named, several = groups("x25519", {"is": "x25519"}, {"is": ["x25519", "x448"], "until": "2031-12-31"})
    assert short == named
    assert (several.names, several.from_, several.until) == (("x25519", "x448"), None, date(2031, 12, 31))


@pytest.mark.parametrize(
    ("days", "day", "counts"),
    [
        ({}, "2026-11-22", True),
        ({"from": "2026-11-22"}, "2026-11-21", False),
        ({"from": "2026-11-22"}, "2026-11-22", True),
        ({"until": "2026-11-22"}, "2026-11-22", True),
        ({"until": "2026-11-22"}, "2026-11-23", False),
        ({"from": "2026-11-22", "until": "2026-11-22"}, "2026-11-22", True),
    ],
)
def test_both_ends_of_the_days_count(days: dict[str, str], day: str, counts: bool) -> None:
    assert groups({"is": "x25519", **days})[0].counts(date.fromisoformat(day)) is counts
    demand = Demand.model_validate({"severity": "info", "source": "test", **days})
    assert demand.counts(date.fromisoformat(day)) is counts


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x25591", "'x25591' is not a key exchange group; did you mean x25519?"),
        ({"is": "zzzzzzzz"}, "'zzzzzzzz' is not a key exchange group"),
        ({"is": []}, "is empty"),
        (None, "is empty"),
        (7, "is neither a name nor a mapping with `is`"),
        (["x25519"], "is neither a name nor a mapping with `is`"),
        ({"is": "x25519", "from": "2027-1-1"}, "'2027-1-1' is not a day, such as 2027-01-01"),
        ({"is": "x25519", "from": 2027}, "2027 is not a day, such as 2027-01-01"),
        ({"is": "x25519", "until": "2027-02-30"}, "'2027-02-30' is not a day of the calendar"),
        (
            {"is": "x25519", "from": "2027-01-02", "until": "2027-01-01"},
            "ends (2027-01-01) before it begins (2027-01-02)",
        ),
    ],
)
def test_a_wrong_entry_is_named(entry: object, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        groups(entry)
    assert [error["msg"] for error in raised.value.errors()] == [f"Value error, {message}"]


def test_entries_are_said_in_words() -> None:
    several = groups(
        "x25519", {"is": "x448", "until": "2030-01-01"}, {"is": ["sect163k1", "x448"], "from": "2030-01-01"}
    )
    assert listed(several) == "x25519, x448 until 2030-01-01, (sect163k1, x448 from 2030-01-01)"


@pytest.mark.parametrize(
    ("entry", "name", "matches"),
    [
        ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", True),
        ("AES128-SHA", "0xFEED", False),
        ({"where": "cbc"}, "TLS_RSA_WITH_AES_128_CBC_SHA", True),
        ({"where": "cbc"}, "SSL_CK_DES_64_CBC_WITH_MD5", True),
        ({"where": "aead"}, "TLS_RSA_WITH_AES_128_CBC_SHA", False),
        ({"where": "aead"}, "0xFEED", None),
    ],
)
def test_what_a_bare_number_is_is_not_known(entry: object, name: str, matches: bool | None) -> None:
    assert Lists.model_validate({"suites": [entry]}).suites[0].matches(name) is matches


@pytest.mark.parametrize(
    ("item", "title"),
    [(Item[ProtocolName], "ProtocolItem"), (Item[HashName], "HashItem"), (Item[GroupName], "GroupItem")],
)
def test_kinds_of_entries_have_names_of_their_own(item: Any, title: str) -> None:  # noqa: ANN401 - a model made at run time
    assert item.__name__ == title
