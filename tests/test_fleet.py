"""What targets show about each other: examples, and the index compared with the plain function for any history."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exporter.case import Neighbours
from exporter.derived.keys import keys_known, served_keys
from exporter.fleet import KeyIndex
from exporter.model import Protocol, Report
from tests.support.facts import GCM, certificates, deployment, facts, handshake, result, steady
from tests.support.targets import NOW, make_target

SSL2, TLS1_2 = Protocol.SSL2, Protocol.TLS1_2
K1, K2, K3 = "11" * 32, "22" * 32, "33" * 32


def report(name: str, ssl2: bool | None, *keys: str, complete: bool = True, told: bool = True) -> Report:
    """Facts of one address, with these RSA keys. By default no handshake was possible."""
    suites = {TLS1_2: (GCM,)} | ({SSL2: ("SSL_CK_RC4_128_WITH_MD5",)} if ssl2 else {})
    parts: list[object] = (
        [handshake(suites, open_protocols=[SSL2] if ssl2 is None else [], plain_chains=())] if told else []
    )
    if keys:
        served = [deployment(key_algorithm="RSA", spki_sha256=key) for key in keys]
        parts.append(certificates(*served, complete=complete))
    seen = facts(*parts)
    return Report(result(seen, target=make_target(name=name)), seen, None, ("kopano-checklist",), (), NOW.date())


def plain(near: Neighbours) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    accepting, perhaps = (
        {key: tuple(sorted(names)) for key, names in where.items()} for where in (near.ssl2_keys, near.unclear_keys)
    )
    return accepting, perhaps


def index(**reports: Sequence[Report]) -> KeyIndex:
    made = KeyIndex()
    for name, of_one in reports.items():
        made.update(name, of_one)
    return made


def test_a_key_that_ssl2_is_accepted_with_is_told_to_the_others() -> None:
    made = index(web=[report("web", False, K1)], mail=[report("mail", True, K1)])
    assert plain(made.neighbours("web")) == ({K1: ("mail",)}, {})
    assert plain(made.neighbours("mail")) == ({}, {})
    assert plain(made.neighbours("new")) == ({K1: ("mail",)}, {})


def test_where_ssl2_is_not_known_it_may_be_accepted() -> None:
    made = index(mail=[report("mail", None, K1)], quiet=[report("quiet", False, K2)], none=[report("none", None)])
    assert plain(made.neighbours("web")) == ({}, {K1: ("mail",)})


def test_ssl2_without_a_cipher_exposes_no_key_for_certain() -> None:
    bare = report("mail", True, K1)
    known = bare.facts.with_part(handshake({TLS1_2: (GCM,), SSL2: ()}, plain_chains=()), NOW)
    assert plain(index(mail=[replace(bare, facts=known)]).neighbours("web")) == ({}, {K1: ("mail",)})


def test_a_certificate_alone_says_nothing_of_ssl2() -> None:
    assert plain(index(mail=[report("mail", False, K1, told=False)]).neighbours("web")) == ({}, {K1: ("mail",)})


def test_of_several_keys_it_may_be_either() -> None:
    assert plain(index(mail=[report("mail", True, K1, K2)]).neighbours("web")) == ({}, {K1: ("mail",), K2: ("mail",)})


def test_addresses_of_one_target_count_together_and_are_neighbours_to_each_other() -> None:
    made = index(mail=[report("mail", False, K2), report("mail", True, K1), report("mail", None, K1)])
    assert plain(made.neighbours("web")) == ({K1: ("mail",)}, {})
    assert plain(made.neighbours("mail")) == ({K1: ("mail",)}, {})


def test_those_with_the_key_are_to_be_judged_again_and_nobody_else() -> None:
    made = index(
        web=[report("web", False, K1)], shop=[report("shop", False, K1, K2)], other=[report("other", False, K3)]
    )
    assert made.update("mail", [report("mail", True, K1)]) == {"web", "shop"}
    assert made.update("mail", [report("mail", True, K1)]) == set()
    assert made.update("mail", [report("mail", None, K1)]) == {"web", "shop"}
    assert made.update("mail", [report("mail", True, K2)]) == {"web", "shop"}
    assert made.update("mail", [report("mail", False, K2)]) == {"shop"}
    assert made.remove("mail") == set()


def test_whose_keys_are_not_known_is_judged_again_when_the_first_exposes_one_and_the_last_no_longer_does() -> None:
    made = index(vague=[report("vague", False)])
    assert made.update("one", [report("one", True, K1)]) == {"vague"}
    assert made.update("one", [report("one", None, K1)]) == set()
    made.update("two", [report("two", True, K2)])
    assert made.update("three", [report("three", True, K3)]) == set()
    made.remove("two")
    made.remove("three")
    assert made.remove("one") == {"vague"}


def test_a_target_of_several_addresses_is_judged_again_for_what_it_tells_itself() -> None:
    made = index(mail=[report("mail", False, K1), report("mail", False, K1)])
    assert made.update("mail", [report("mail", False, K1), report("mail", True, K1)]) == {"mail"}
    assert made.update("mail", [report("mail", False, K1)]) == {"mail"}
    assert made.remove("mail") == set()


def test_one_more_that_may_accept_it_changes_nothing_where_two_others_may() -> None:
    made = index(web=[report("web", False, K1)], one=[report("one", None, K1)])
    assert made.update("two", [report("two", None, K1)]) == {"web", "one"}
    assert made.update("three", [report("three", None, K1)]) == set()
    assert made.update("two", [report("two", False, K1)]) == set()
    assert made.remove("three") == {"web", "one", "two"}


def test_what_is_removed_leaves_nothing() -> None:
    made = index(web=[report("web", False, K1)], mail=[report("mail", True, K1)])
    assert made.remove("mail") == {"web"}
    assert made.remove("mail") == set()
    assert plain(made.neighbours("web")) == ({}, {})


# --- any history ------------------------------------------------------------------------------------------------------


def told_by_each(current: Mapping[str, Sequence[Report]]) -> dict[str, tuple[object, object]]:
    """The result of a new index of the others for each; the target itself counts if it has several addresses."""
    return {
        name: plain(
            index(**{other: of_one for other, of_one in current.items() if other != name or len(own) > 1}).neighbours(
                "nobody"
            )
        )
        for name, own in current.items()
    }


NAMES = ["web", "mail", "shop", "vpn"]


@st.composite
def reports(draw: st.DrawFn, name: str) -> list[Report]:
    return [
        report(
            name,
            draw(st.sampled_from([True, False, None])),
            *draw(st.lists(st.sampled_from([K1, K2, K3]), unique=True, max_size=2)),
            complete=draw(st.booleans()),
            told=draw(st.sampled_from([True, True, False])),
        )
        for _ in range(draw(st.integers(1, 2)))
    ]


STEPS = st.lists(st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), st.none() | reports(name))))


def bearing(near: Neighbours, of_one: Sequence[Report]) -> list[object]:
    """The parts on which the verdicts of these reports, and their evidence, can depend."""
    told: list[object] = []
    for one in of_one:
        keys = served_keys(one.facts)
        accepting, perhaps = ({key: names for key, names in where.items() if key in keys} for where in plain(near))
        told.append((accepting, set(perhaps), not keys_known(one.facts) and any(plain(near))))
    return told


@steady
@given(steps=STEPS)
def test_the_index_tells_what_all_reports_tell_and_names_whom_it_concerns(
    steps: list[tuple[str, list[Report] | None]],
) -> None:
    made, current = KeyIndex(), dict[str, list[Report]]()
    for name, of_one in steps:
        before = {other: bearing(made.neighbours(other), current[other]) for other in current if other != name}
        if of_one is None:
            concerned = made.remove(name)
            current.pop(name, None)
        else:
            own = bearing(made.neighbours(name), of_one)  # as it was judged, before it was taken in
            concerned = made.update(name, of_one)
            current[name] = of_one
            assert name in concerned or bearing(made.neighbours(name), of_one) == own
        assert concerned <= current.keys()
        assert {other: plain(made.neighbours(other)) for other in current} == told_by_each(current)
        for other, told in before.items():
            assert other in concerned or bearing(made.neighbours(other), current[other]) == told
