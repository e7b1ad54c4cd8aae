from oracles.compare import FACTS, Statement, failed, statements
from oracles.facts import ALL, Facts


def differing(ours: Facts, theirs: Facts) -> list[Statement]:
    return [statement for statement in statements(ours, theirs) if not statement.agrees]


OURS = Facts(
    protocols={"TLSv1.2": True, "TLSv1.3": True, "SSLv3": False},
    suites={"TLSv1.2": frozenset("ab"), "TLSv1.3": frozenset("c")},
    orders={"TLSv1.2": "server", "TLSv1.3": "client"},
    compression=False,
    groups={"TLSv1.2": frozenset({"x25519"}), ALL: frozenset({"x25519", "ffdhe2048"})},
    extensions={"heartbeat": False},
    alpn=frozenset({"h2"}),
    dh_bits=frozenset({2048}),
)


def test_what_only_one_tells_is_no_statement() -> None:
    assert [*statements(OURS, Facts())] == [Statement("scan", "", "yes", "yes")]
    assert [*statements(Facts(), OURS)] == [Statement("scan", "", "yes", "yes")]


def test_the_same_facts_agree_in_every_kind() -> None:
    said = [*statements(OURS, OURS)]
    assert all(statement.agrees for statement in said)
    assert {statement.fact for statement in said} == {*FACTS} - {"signatures"}


def test_each_thing_is_a_difference_of_its_own() -> None:
    theirs = Facts(
        protocols={"TLSv1.2": True, "SSLv3": True},
        suites={"TLSv1.2": frozenset("bd")},
        orders={ALL: "server"},
        compression=True,
        groups={ALL: frozenset({"x25519"})},
        extensions={"heartbeat": True},
        alpn=frozenset({"h2", "http/1.1"}),
        dh_bits=frozenset(),
    )
    assert differing(OURS, theirs) == [
        Statement("protocols", "SSLv3", "no", "yes"),
        Statement("suites", "TLSv1.2 a", "yes", "no"),
        Statement("suites", "TLSv1.2 d", "no", "yes"),
        Statement("order", "all", "client, server", "server"),
        Statement("compression", "", "no", "yes"),
        Statement("groups", "all ffdhe2048", "yes", "no"),
        Statement("extensions", "heartbeat", "no", "yes"),
        Statement("alpn", "http/1.1", "no", "yes"),
        Statement("dh", "2048", "yes", "no"),
    ]


def test_what_ours_could_not_tell_is_a_difference_and_not_a_no() -> None:
    ours = Facts(
        protocols={"TLSv1.2": True},
        suites={"TLSv1.2": frozenset("a")},
        groups={"TLSv1.2": frozenset({"x25519"})},
        unknown=frozenset(
            {
                *{("protocols", "SSLv3"), ("suites", "TLSv1.2"), ("order", "TLSv1.2"), ("compression", "")},
                *{("groups", "TLSv1.2"), ("extensions", "heartbeat"), ("alpn", ""), ("signatures", "TLSv1.2")},
            }
        ),
    )
    theirs = Facts(
        protocols={"TLSv1.2": True, "SSLv3": False},
        suites={"TLSv1.2": frozenset("ab")},
        orders={ALL: "server"},
        compression=False,
        groups={"TLSv1.2": frozenset({"x25519", "x448"})},
        signatures={"TLSv1.2": frozenset({"ed25519"})},
        extensions={"heartbeat": False},
        alpn=frozenset({"h2"}),
    )
    assert [(one.fact, one.what, one.ours) for one in differing(ours, theirs)] == [
        ("protocols", "SSLv3", "unknown"),
        ("suites", "TLSv1.2 b", "unknown"),
        ("order", "all", "unknown"),
        ("compression", "", "unknown"),
        ("groups", "TLSv1.2 x448", "unknown"),
        ("signatures", "TLSv1.2 ed25519", "unknown"),
        ("extensions", "heartbeat", "unknown"),
        ("alpn", "h2", "unknown"),
    ]


def test_a_scan_that_failed_is_a_difference() -> None:
    statement = failed("no answer\nTraceback", ours=True, theirs=False)
    assert str(statement) == "scan, no answer: ours says yes, they say no"
