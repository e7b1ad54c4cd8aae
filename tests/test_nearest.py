"""Suggestions for wrong names, in messages about any kind of name."""

from collections.abc import Collection

import pytest

from exporter.nearest import nearest, not_one_of, suggestion, suggestion_or_all


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("prot", ["host", "port", "name"], "port"),
        ("HTTPS", ["http", "https"], "https"),
        ("tlsV1.3", ["TLSv1.2", "TLSv1.3"], "TLSv1.3"),
        ("kopano-check", ["mozilla-old", "kopano-checklist"], "kopano-checklist"),
        ("zzz", ["md5", "sha1"], None),
        ("", ["md5", ""], None),
        ("x" * 1_000_000, ["x"], None),
        ("port", [], None),
    ],
)
def test_the_nearest_name_is_one_that_may_have_been_meant(name: str, known: Collection[str], near: str | None) -> None:
    assert nearest(name, known) == near
    assert suggestion(name, known) == (f"; did you mean {near}?" if near else "")


def test_names_can_be_asked_for_that_are_more_alike() -> None:
    hosts = ["www.example.com", "Mail.example.com"]
    assert nearest("shop.example.com", hosts) is not None
    assert nearest("shop.example.com", hosts, 0.85) is None
    assert nearest("mial.example.com", hosts, 0.85) == "Mail.example.com"


def test_without_a_near_name_few_are_all_named() -> None:
    assert suggestion_or_all("tlsv1.3", ["TLSv1.2", "TLSv1.3"]) == "; did you mean TLSv1.3?"
    assert suggestion_or_all("zzz", ["md5", "sha1"]) == "; known are md5, sha1"
    assert suggestion_or_all("zzz", ["md5", "sha1"], otherwise="see the list") == "; see the list"
    assert suggestion_or_all("zzz", [str(number) for number in range(30)]) == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("tsl12", "is not one of TLS12, TLS13; did you mean TLS12?"),
        ("TLS10", "is not one of TLS12, TLS13"),
        ("SSLv3", "is not one of TLS12, TLS13"),
        (12, "is not one of TLS12, TLS13"),
    ],
)
def test_a_value_that_differs_in_its_number_is_no_typing_error(value: object, message: str) -> None:
    assert not_one_of(repr(value), value, ["TLS12", "TLS13"]) == f"{value!r} {message}"
