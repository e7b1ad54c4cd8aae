"""What `probe.allow` permits, by host, addresses, port and dialogue."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.probe import ProbeRule
from exporter.config.sections import GlobalSettings, TargetSettings
from exporter.model import Target
from exporter.probing.allow import Allow
from exporter.probing.cache import Kept, ProbeCache
from exporter.targets import make_target
from tests.support.targets import NOW

PUBLIC, OTHER, PRIVATE = "203.0.113.7", "198.51.100.7", "10.1.2.3"


def target(text: str) -> Target:
    return make_target(TargetSettings.from_text(text), GlobalSettings())


def allowed(rules: list[dict[str, Any]], text: str, *addresses: str) -> bool:
    allow, asked = Allow([ProbeRule(**rule) for rule in rules]), target(text)
    found = allow.permitted(asked, addresses)
    assert allow.may_permit(asked) or found is None  # what is not looked up is not permitted either
    return found is not None


HOSTS: dict[str, Any] = {"hosts": ["*.example.com", "mail.example.net"]}
NETWORK: dict[str, Any] = {"cidrs": ["203.0.113.0/24", "2001:db8::/32"]}


@pytest.mark.parametrize(
    ("rules", "text", "addresses", "expected"),
    [
        ([], "www.example.com", [PUBLIC], False),
        ([HOSTS], "www.example.com", [PUBLIC], True),
        ([HOSTS], "a.b.example.com", [PUBLIC], True),
        ([HOSTS], "WWW.Example.COM.", [PUBLIC], True),
        ([HOSTS], "mail.example.net", [PUBLIC], True),
        ([HOSTS], "example.com", [PUBLIC], False),
        ([HOSTS], "wwwexample.com", [PUBLIC], False),
        ([HOSTS], "www.example.com.attacker.example", [PUBLIC], False),
        ([HOSTS], "xmail.example.net", [PUBLIC], False),
        ([HOSTS], "www.example.com", [PRIVATE], True),  # names that the operator trusts may be of an internal network
        ([HOSTS], "www.example.com", [], False),
        ([{"hosts": ["*"]}], "203.0.113.7", [PUBLIC], False),  # patterns are for names
        ([NETWORK], "203.0.113.7", [PUBLIC], True),
        ([NETWORK], "www.example.org", [PUBLIC], True),
        ([NETWORK], "www.example.org", [PUBLIC, "2001:db8::7"], True),
        ([NETWORK], "www.example.org", [PUBLIC, OTHER], False),
        ([NETWORK], "[::ffff:203.0.113.7]", ["::ffff:203.0.113.7"], True),
        ([NETWORK], "[2001:db8::5efe:198.51.100.7]", ["2001:db8::5efe:c633:6407"], False),  # and so to 198.51.100.7
        ([HOSTS | NETWORK], "www.example.com", [PUBLIC], True),
        ([HOSTS | NETWORK], "www.example.com", [OTHER], False),
        ([HOSTS | NETWORK], "www.example.org", [PUBLIC], False),
        ([HOSTS, NETWORK], "www.example.org", [PUBLIC, OTHER], False),
        # Ports: the usual one of the service, if none is named.
        ([HOSTS], "www.example.com:443", [PUBLIC], True),
        ([HOSTS], "www.example.com:8443", [PUBLIC], False),
        ([HOSTS], "www.example.com:80", [PUBLIC], False),
        ([HOSTS], "www.example.com:993", [PUBLIC], True),
        ([HOSTS], "https://www.example.com:993", [PUBLIC], False),
        ([HOSTS], "tls://www.example.com:443", [PUBLIC], False),
        ([HOSTS | {"ports": [8443]}], "www.example.com:8443", [PUBLIC], True),
        ([HOSTS | {"ports": [8443]}], "www.example.com:443", [PUBLIC], False),
        # Dialogues: none, if none is named.
        ([HOSTS], "smtp+starttls://www.example.com", [PUBLIC], False),
        ([HOSTS | {"starttls": ["smtp"]}], "smtp+starttls://www.example.com", [PUBLIC], True),
        ([HOSTS | {"starttls": ["smtp"]}], "smtp+starttls://www.example.com:587", [PUBLIC], False),
        ([HOSTS | {"starttls": ["smtp"], "ports": [587]}], "smtp+starttls://www.example.com:587", [PUBLIC], True),
        ([HOSTS | {"starttls": ["smtp"]}], "imap+starttls://www.example.com", [PUBLIC], False),
        ([HOSTS | {"starttls": ["smtp"]}], "www.example.com", [PUBLIC], True),
        # Special addresses: only by a network inside of the special one.
        ([{"cidrs": ["0.0.0.0/0"]}], "127.0.0.1", ["127.0.0.1"], False),
        ([{"cidrs": ["126.0.0.0/7"]}], "127.0.0.1", ["127.0.0.1"], False),
        ([{"cidrs": ["127.0.0.0/8"]}], "127.0.0.1", ["127.0.0.1"], True),
        ([{"cidrs": ["127.0.0.2/32"]}], "127.0.0.1", ["127.0.0.1"], False),
        ([{"cidrs": ["127.0.0.0/8"]}], "localhost", ["127.0.0.1"], True),
        ([{"cidrs": ["127.0.0.0/8"]}], "localhost", ["127.0.0.1", "::1"], False),
        ([{"cidrs": ["127.0.0.0/8", "::1/128"]}], "localhost", ["127.0.0.1", "::1"], True),
        ([NETWORK], "www.localhost", [PUBLIC], False),
        ([HOSTS], "www.example.com", ["127.0.0.1"], False),
        ([HOSTS | {"cidrs": ["127.0.0.0/8"]}], "www.example.com", ["127.0.0.1"], True),
        ([{"cidrs": ["::/0"]}], "[::1]", ["::1"], False),
        ([{"cidrs": ["169.254.0.0/16"]}], "169.254.9.9", ["169.254.9.9"], True),
        ([{"cidrs": ["169.254.0.0/16"]}], "169.254.169.254", ["169.254.169.254"], False),  # metadata has to be named
        ([{"cidrs": ["169.254.169.254/32"]}], "169.254.169.254", ["169.254.169.254"], True),
        ([{"cidrs": ["100.64.0.0/10"]}], "100.100.100.200", ["100.100.100.200"], False),
        ([{"cidrs": ["fd00::/8"]}], "[fd00:ec2::254]", ["fd00:ec2::254"], False),
        ([{"cidrs": ["fd00::/8"]}], "[fd00:ec2::255]", ["fd00:ec2::255"], True),
        ([{"cidrs": ["fe80::/10"]}], "www.example.org", ["fe80::1%lo"], True),
        # Both the address and the one inside of it.
        ([{"cidrs": ["64:ff9b::/96"]}], "www.example.org", ["64:ff9b::cb00:7107"], False),
        ([{"cidrs": ["64:ff9b::/96", "203.0.113.0/24"]}], "www.example.org", ["64:ff9b::cb00:7107"], True),
        ([{"cidrs": ["64:ff9b::/96", "0.0.0.0/0"]}], "www.example.org", ["64:ff9b::7f00:1"], False),
        ([{"cidrs": ["64:ff9b::/96", "127.0.0.0/8"]}], "www.example.org", ["64:ff9b::7f00:1"], True),
        ([HOSTS], "www.example.com", ["64:ff9b::cb00:7107"], True),
        ([HOSTS], "www.example.com", ["64:ff9b:1::cb00:7107"], False),
    ],
)
def test_a_rule_permits_what_meets_all_its_keys(
    rules: list[dict[str, Any]], text: str, addresses: list[str], expected: bool
) -> None:
    assert allowed(rules, text, *addresses) is expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [([HOSTS], 80), ([HOSTS | {"ports": [443]}], None), ([HOSTS | {"ports": [443, 80]}], 80)],
)
def test_port_80_is_asked_for_its_redirect_only_where_it_is_permitted(
    rules: list[dict[str, Any]], expected: int | None
) -> None:
    found = Allow([ProbeRule(**rule) for rule in rules]).permitted(target("www.example.com"), [PUBLIC])
    assert found is not None
    assert found.http.port == expected


@given(st.text("ab.*", min_size=1, max_size=8), st.text("ab.", min_size=1, max_size=8))
def test_a_star_is_for_any_characters(pattern: str, host: str) -> None:
    allow = Allow([ProbeRule.model_construct(hosts=[pattern], cidrs=[], ports=None, starttls=[])])
    assert allow.names(replace(target("www.example.com"), host=host)) is fnmatchcase(host, pattern)


def test_a_pattern_with_many_stars_takes_no_time_for_a_name_that_almost_fits() -> None:
    """With backtracking this test does not end."""
    label = f"a{'-' * 61}a"
    allow = Allow([ProbeRule(hosts=["*-*-*-*-*-*-*-*.example.com"])])
    assert not allow.may_permit(target(f"{label}.{label}.{label}.example.net"))
    assert allow.may_permit(target(f"{label}.{label}.{label}.example.com"))


def test_only_a_rule_that_names_the_host_lets_people_know_whether_the_name_exists() -> None:
    assert Allow([ProbeRule(**HOSTS)]).names(target("www.example.com"))
    assert not Allow([ProbeRule(**NETWORK)]).names(target("www.example.com"))
    assert not Allow([ProbeRule(**HOSTS)]).names(target("www.example.com:8443"))


def _kept(size: int) -> Kept:
    return Kept("", NOW, 1.0, cut=False, addresses=(), records=(bytes(size),), log=b"")


def test_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    cache = ProbeCache(most_entries=2, most_bytes=10_000)
    for key in ("a", "b"):
        cache.put(key, _kept(10))
    cache.get("a")
    cache.put("c", _kept(10))
    assert [cache.get(key) is not None for key in "abc"] == [True, False, True]
    cache.put("d", _kept(9_000))
    assert [cache.get(key) is not None for key in "acd"] == [False, False, True]
    cache.put("e", _kept(90_000))  # the newest is always kept
    assert len(cache) == 1
    cache.put("h", replace(_kept(10), addresses=("192.0.2.1",) * 200))
    cache.put("i", _kept(10))
    assert len(cache) == 1  # addresses need memory too
    cache.remove("i")
    cache.put("f", _kept(8_000))
    cache.put("g", _kept(10))
    assert len(cache) == 2
