import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts, ServedChain, to_be_enumerated
from exporter.facts.signature import signature
from exporter.facts.vulnerabilities import POSSIBLE, Tried, VulnerabilityFacts, lifetime
from exporter.model import Facts, Protocol, Reason
from exporter.probes.vulnerabilities import PROBE
from exporter.scan import scan
from exporter.workers import WorkerLimits, Workers
from tests.support.certificates import issue, p256, rsa_key
from tests.support.facts import CBC_RSA, GCM, RC4, TLS13_AES, handshake
from tests.support.plain import Handler, plain_server
from tests.support.scripted import Stack, alert, read_hello
from tests.support.servers import HOST, SEED_NGINX, WEAK_NGINX, make_pki, nginx
from tests.support.targets import NOW, make_environment, make_session, make_target
from tests.workers.test_pool import nowhere

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ATTACKS = ("heartbleed", "ccs_injection", "robot", "client_renegotiation")
SSL3, TLS1_0, TLS1_2, TLS1_3 = Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3
RSA_EXPORT, RSA_PSK = "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "TLS_RSA_PSK_WITH_AES_128_CBC_SHA"


# --- what is possible -------------------------------------------------------------------------------------------------

POSSIBILITIES: dict[str, tuple[str, HandshakeFacts, bool | None]] = {
    "TLS 1.3 alone bleeds not": ("heartbleed", handshake({TLS1_3: (TLS13_AES,)}), False),
    "no answer had heartbeat": ("heartbleed", handshake({TLS1_2: (GCM,)}, heartbeat={TLS1_2: False}), False),
    "one protocol has heartbeat": (
        "heartbleed",
        handshake({TLS1_0: (GCM,), TLS1_2: (GCM,)}, heartbeat={TLS1_0: True, TLS1_2: False}),
        True,
    ),
    "heartbeat was never asked for": ("heartbleed", handshake({TLS1_2: (GCM,)}, heartbeat={}), None),
    "a protocol without heartbeat, and one not known": (
        "heartbleed",
        handshake({TLS1_2: (GCM,)}, open_protocols=[TLS1_0], heartbeat={TLS1_2: False}),
        None,
    ),
    "TLS 1.3 alone takes no CCS": ("ccs_injection", handshake({TLS1_3: (TLS13_AES,)}), False),
    "TLS 1.2 may take a CCS": ("ccs_injection", handshake({TLS1_2: (GCM,), TLS1_3: (TLS13_AES,)}), True),
    "TLS 1.2 not known": ("ccs_injection", handshake({TLS1_3: (TLS13_AES,)}, open_protocols=[TLS1_2]), None),
    "SSL 2 alone has no CCS": ("ccs_injection", handshake({Protocol.SSL2: ("SSL_CK_RC4_128_WITH_MD5",)}), False),
    "TLS 1.3 alone does not renegotiate": ("client_renegotiation", handshake({TLS1_3: (TLS13_AES,)}), False),
    "SSL 3 may renegotiate": ("client_renegotiation", handshake({SSL3: (CBC_RSA,)}), True),
    "no RSA key exchange": ("robot", handshake({TLS1_2: (GCM,)}), False),
    "RSA key exchange": ("robot", handshake({TLS1_2: (GCM, CBC_RSA)}), True),
    "RSA key exchange in an old protocol": ("robot", handshake({TLS1_0: (RC4,), TLS1_2: (GCM,)}), True),
    "a list that may lack RSA": ("robot", handshake({TLS1_2: (GCM,)}, incomplete=[TLS1_2]), None),
    "an empty list": ("robot", handshake({TLS1_2: ()}), None),
    "export keys are not the certificate's": ("robot", handshake({TLS1_2: (GCM, RSA_EXPORT)}), False),
    "with a PSK it is the certificate's key all the same": ("robot", handshake({TLS1_2: (GCM, RSA_PSK)}), None),
    "a suite that is only a number": ("robot", handshake({TLS1_2: (GCM, "0xFEED")}), None),
    "RSA key exchange, and a protocol not known": (
        "robot",
        handshake({TLS1_2: (CBC_RSA,)}, open_protocols=[TLS1_0]),
        True,
    ),
}


@pytest.mark.parametrize("case", POSSIBILITIES)
def test_an_attack_is_possible_only_where_the_server_has_what_it_needs(case: str) -> None:
    attack, facts, possible = POSSIBILITIES[case]
    assert POSSIBLE[attack](facts) is possible


# --- when it is due ---------------------------------------------------------------------------------------------------

TARGET = make_target(scan_interval=6 * HOUR, vulnerability_interval=DAY, max_age=18 * HOUR)
BOTH = ("ccs_injection", "client_renegotiation")


def known(ages: Mapping[str, timedelta], facts: HandshakeFacts | None = None) -> Facts:
    """What is known when these attacks were tried so long ago."""
    tried = {name: Tried(False, "", NOW - age) for name, age in ages.items()}
    return (
        Facts()
        .with_part(facts or handshake({TLS1_2: (GCM,)}, heartbeat={TLS1_2: False}), NOW)
        .with_part(VulnerabilityFacts(tried), NOW - min(ages.values(), default=timedelta()))
    )


@pytest.mark.parametrize(
    ("ages", "due"),
    [
        (dict.fromkeys(BOTH, HOUR), False),
        (dict.fromkeys(BOTH, 21 * HOUR), False),
        (dict.fromkeys(BOTH, 21 * HOUR + timedelta(seconds=1)), True),  # this scan is nearer to it than the next
        (dict.fromkeys(BOTH, 30 * HOUR), True),
        ({"ccs_injection": HOUR}, True),  # the other one has no answer
        ({}, True),
    ],
)
def test_it_is_due_when_an_answer_is_missing_or_old(ages: Mapping[str, timedelta], due: bool) -> None:
    assert PROBE.due(TARGET, known(ages), NOW) is due


def test_what_has_become_possible_is_due_at_once() -> None:
    at_hand = known(dict.fromkeys(BOTH, HOUR), handshake({TLS1_2: (CBC_RSA,)}, heartbeat={TLS1_2: False}))
    assert PROBE.due(TARGET, at_hand, NOW)


BEFORE = handshake({TLS1_0: (CBC_RSA,), TLS1_2: (GCM,)}, heartbeat={TLS1_2: False})
AFTERWARDS: dict[str, tuple[HandshakeFacts, bool]] = {
    "nothing changed": (BEFORE, False),
    "a protocol is refused": (handshake({TLS1_2: (GCM,)}, heartbeat={TLS1_2: False}), True),
    "another suite": (handshake({TLS1_0: (CBC_RSA,), TLS1_2: (GCM, CBC_RSA)}, heartbeat={TLS1_2: False}), True),
    "an extension": (replace(BEFORE, extensions={**BEFORE.extensions, "secure_renegotiation": False}), True),
    "another order alone": (replace(BEFORE, cipher_order={}), False),
    "less is known": (
        handshake({TLS1_2: (GCM,)}, heartbeat={}, incomplete=[TLS1_2], open_protocols=[TLS1_0], extensions={}),
        False,
    ),
    "the staple is missing": (replace(BEFORE, extensions={**BEFORE.extensions, "ocsp_stapling": False}), False),
}


@pytest.mark.parametrize("case", AFTERWARDS)
def test_a_server_that_looks_different_is_tried_at_once(case: str) -> None:
    facts, due = AFTERWARDS[case]
    seen = signature(Facts().with_part(BEFORE, NOW), TARGET)
    tried = {name: Tried(False, "", NOW - HOUR, seen) for name in ATTACKS}
    at_hand = Facts().with_part(facts, NOW).with_part(VulnerabilityFacts(tried), NOW - HOUR)
    assert PROBE.due(TARGET, at_hand, NOW) is due


TURNS = [
    handshake({TLS1_2: (suite,)}, heartbeat={TLS1_2: False}) for suite in (GCM, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA")
]
"""What two machines behind one address show."""


def test_machines_that_take_turns_cause_few_tries_between_those_that_are_due() -> None:
    tried: Mapping[str, Tried] = {}
    at = []
    for hour in range(48):
        facts = Facts().with_part(TURNS[hour % 2], NOW).with_part(VulnerabilityFacts(tried), NOW)
        now = NOW + hour * HOUR
        if PROBE.due(replace(TARGET, scan_interval=HOUR), facts, now):
            at.append(hour)
            tried = run_evil("fine", TURNS[hour % 2], facts, now=now, scan_interval=HOUR).attacks_tried
    assert at == [0, 1, 2, 3, 27, 28, 29, 30]


def test_tries_that_fail_on_one_of_the_machines_count_as_well() -> None:
    tried: Mapping[str, Tried] = {}
    at = []
    for hour in range(24):
        facts = Facts().with_part(TURNS[hour % 2], NOW).with_part(VulnerabilityFacts(tried), NOW)
        now = NOW + hour * HOUR
        if PROBE.due(replace(TARGET, scan_interval=HOUR), facts, now):
            at.append(hour)
            if hour % 2:
                with pytest.raises(ProbeError) as caught:
                    run_evil("garbage", TURNS[1], facts, now=now)
                kept = caught.value.facts
                assert isinstance(kept, VulnerabilityFacts)
                tried = kept.attacks_tried
            else:
                tried = run_evil("fine", TURNS[0], facts, now=now).attacks_tried
    assert len(at) <= 5


def test_an_answer_of_another_server_does_not_stay_in_place_of_none() -> None:
    seen = signature(Facts().with_part(BEFORE, NOW), TARGET)
    before = Facts().with_part(VulnerabilityFacts({"ccs_injection": Tried(False, "", NOW - HOUR, seen)}), NOW)
    assert run_evil("unknown", PLAIN, before).attacks_tried["ccs_injection"] == Tried(None, "who knows", NOW)


def test_nothing_is_due_where_nothing_is_possible_once_that_is_on_record() -> None:
    nothing = handshake({TLS1_3: (TLS13_AES,)})
    assert PROBE.due(TARGET, Facts().with_part(nothing, NOW), NOW)
    assert not PROBE.due(TARGET, known({}, nothing), NOW)


def test_a_clock_that_was_set_back_is_no_reason_to_wait_for_the_time_it_showed() -> None:
    assert PROBE.due(TARGET, known({"ccs_injection": -timedelta(days=365), "client_renegotiation": HOUR}), NOW)


def test_never_means_never() -> None:
    assert not PROBE.applies(replace(TARGET, vulnerability_interval=None))


@pytest.mark.parametrize(
    ("interval", "hours"),
    [(DAY, 18 + 18), (6 * HOUR, 18), (7 * DAY, 18 + 7 * 24 - 6)],
)
def test_an_answer_holds_for_max_age_after_the_scan_that_should_have_renewed_it(
    interval: timedelta, hours: int
) -> None:
    assert lifetime(replace(TARGET, vulnerability_interval=interval)) == hours * HOUR


# --- what becomes of answers ------------------------------------------------------------------------------------------


def run_evil(
    name: str,
    facts: HandshakeFacts,
    before: Facts | None = None,
    *,
    now: datetime = NOW,
    **changes: Any,  # noqa: ANN401 - fields of Target
) -> VulnerabilityFacts:
    """Run the probe with attacks that break their worker as the name says."""

    async def run() -> VulnerabilityFacts:
        workers = Workers("tests.support.evil_attacks")
        environment = replace(make_environment(), workers=workers)
        fields = {"vulnerability_interval": DAY, "scan_timeout": timedelta(seconds=30), **changes}
        target = make_target(9, server_name=f"{name}.example", **fields)
        at_hand = Facts().with_part(facts, NOW).over(before or Facts())
        try:
            return await PROBE.run(make_session(target, known=at_hand, now=now, environment=environment))
        finally:
            await workers.close()

    return asyncio.run(run())


PLAIN = handshake({TLS1_2: (GCM,)}, heartbeat={TLS1_2: False})


def test_each_possible_attack_is_tried_and_no_other() -> None:
    assert run_evil("fine", PLAIN).attacks_tried == {name: Tried(False, "", NOW) for name in BOTH}


@pytest.mark.parametrize("evil", ["segfault", "garbage", "eats_memory"])
def test_a_worker_that_breaks_costs_one_answer(evil: str) -> None:
    with pytest.raises(ProbeError) as caught:
        run_evil(evil, PLAIN)
    assert caught.value.reason is Reason.WORKER_CRASHED
    assert "ccs_injection" in caught.value.detail
    assert caught.value.facts == VulnerabilityFacts({"client_renegotiation": Tried(False, "", NOW)})


def test_a_worker_that_hangs_ends_with_the_scan_and_leaves_what_was_told() -> None:
    before = Facts().with_part(
        VulnerabilityFacts(
            {
                "ccs_injection": Tried(True, "", NOW - 30 * HOUR),
                "client_renegotiation": Tried(True, "", NOW - 90 * HOUR),
                "robot": Tried(False, "", NOW - HOUR),
            }
        ),
        NOW - HOUR,
    )
    with pytest.raises(ProbeError) as caught:
        run_evil("stuck_in_native_code", PLAIN, before, scan_timeout=timedelta(seconds=3), max_age=18 * HOUR)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    # The older answer is kept while it is valid. For the last attack there was no time, and its answer is too old.
    assert caught.value.facts == VulnerabilityFacts(
        {"ccs_injection": Tried(True, "", NOW - 30 * HOUR), "robot": Tried(False, "", NOW - HOUR)}
    )


def test_what_was_told_stays_when_no_worker_is_free_for_the_rest_of_the_scan() -> None:
    """Others may hang. Then the remaining attacks of this target were not tried, which is not its failure."""

    async def run() -> VulnerabilityFacts:
        workers = Workers("tests.support.evil_attacks", WorkerLimits(most=1), on_not_tried=lambda: left_out.append(1))
        environment = replace(make_environment(), workers=workers)
        target = make_target(
            9, server_name="fine.example", vulnerability_interval=DAY, scan_timeout=timedelta(seconds=5)
        )
        session = make_session(target, known=Facts().with_part(PLAIN, NOW), environment=environment)
        trying = asyncio.ensure_future(PROBE.run(session))
        await asyncio.sleep(0)  # its first attack has the only place
        hung = asyncio.create_task(workers.run("ccs_injection", {"server_name": "spins.example"}, nowhere, 60.0))
        try:
            facts = await trying
        finally:
            hung.cancel()
            await asyncio.wait({hung})
            await workers.close()
        assert session.seconds_left() > 0
        return facts

    left_out: list[int] = []
    assert asyncio.run(run()) == VulnerabilityFacts({"ccs_injection": Tried(False, "", NOW)})
    assert left_out == [1]


def certificate_of(key: RSAPublicKey) -> bytes:
    """Issued by somebody: nobody can sign with such a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.test.example")])
    builder = x509.CertificateBuilder(name, name, key, 1, NOW - DAY, NOW + DAY)
    return builder.sign(p256(), SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "numbers", [RSAPublicNumbers(65537, 1 << 20000 | 1), RSAPublicNumbers(1 << 16000 | 1, 1 << 16001 | 1)]
)
def test_a_key_that_no_client_works_with_is_not_worked_with(numbers: RSAPublicNumbers) -> None:
    certificate = certificate_of(numbers.public_key())
    facts = handshake(
        {TLS1_2: (CBC_RSA,)}, heartbeat={TLS1_2: False}, plain_chains=(ServedChain("RSA", (TLS1_2,), (certificate,)),)
    )
    assert run_evil("fine", facts).attacks_tried["robot"].vulnerable is None


def test_an_answer_that_told_something_stays_while_the_next_ones_do_not() -> None:
    """The attack stays due: the next scan tries again."""
    before = known(dict.fromkeys(BOTH, 30 * HOUR))
    told = run_evil("unknown", PLAIN, before, max_age=18 * HOUR)
    assert told.attacks_tried["ccs_injection"] == Tried(False, "", NOW - 30 * HOUR)
    assert told.attacks_tried["client_renegotiation"] == Tried(False, "", NOW)
    assert run_evil("unknown", PLAIN).attacks_tried["ccs_injection"] == Tried(None, "who knows", NOW)


def test_an_answer_of_another_form_is_none() -> None:
    with pytest.raises(ProbeError) as caught:
        run_evil("fine", handshake({TLS1_2: (GCM,)}, heartbeat={TLS1_2: True}))
    assert caught.value.reason is Reason.WORKER_CRASHED
    assert isinstance(caught.value.facts, VulnerabilityFacts)
    assert "heartbleed" not in caught.value.facts.attacks_tried


STACK = Stack({0x0303: (0xC02F, 0x002F)})


async def _stays(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Its first flight, and nothing more after that."""
    hello = await read_hello(reader)
    if hello is not None:
        reply = STACK(hello)
        assert isinstance(reply, bytes)
        writer.write(reply)
        await reader.read()


async def _leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Its first flight, and a close at once: as a front does that has had enough of us."""
    hello = await read_hello(reader)
    if hello is not None:
        reply = STACK(hello)
        assert isinstance(reply, bytes)
        writer.write(reply)
        writer.close()


async def _refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_hello(reader)
    writer.write(alert(40))
    writer.close()


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (_stays, dict.fromkeys(ATTACKS)),
        (_leaves, dict.fromkeys(ATTACKS)),
        (_refuses, dict.fromkeys(ATTACKS)),
    ],
)
def test_a_server_that_does_not_go_along_leaves_an_unknown(server: Handler, told: dict[str, bool | None]) -> None:
    async def run() -> VulnerabilityFacts:
        async with plain_server(server) as port:
            workers = Workers()
            environment = replace(make_environment(), workers=workers)
            target = make_target(port, vulnerability_interval=DAY, timeout_seconds=0.3)
            chain = ServedChain("RSA", (TLS1_2,), (issue("www.test.example", key=rsa_key(2048)).der(),))
            facts = handshake({TLS1_2: (GCM, CBC_RSA)}, heartbeat={TLS1_2: True}, plain_chains=(chain,))
            session = make_session(target, known=Facts().with_part(facts, NOW), environment=environment)
            try:
                return await PROBE.run(session)
            finally:
                await workers.close()

    tried = asyncio.run(run()).attacks_tried
    assert {name: one.vulnerable for name, one in tried.items()} == told
    assert all(one.detail and "\n" not in one.detail for one in tried.values() if one.vulnerable is None)


# --- real servers -----------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(
    ("directives", "attacks", "connections"),
    [(SEED_NGINX, BOTH, 2), (WEAK_NGINX, ("ccs_injection", "client_renegotiation", "robot"), 27)],
)
def test_a_server_is_tried_once_a_day_and_not_with_every_scan(
    tmp_path: Path, directives: str, attacks: tuple[str, ...], connections: int
) -> None:
    pki = make_pki(tmp_path)

    async def run(port: int) -> None:
        workers = Workers()
        environment = replace(make_environment(), workers=workers)
        target = make_target(
            port,
            host=HOST,
            server_name=HOST,
            vulnerability_interval=DAY,
            scan_interval=6 * HOUR,
            ca_file=str(pki.bundle),
        )
        try:
            first = await scan(target, environment)
            told = first.facts.get(VulnerabilityFacts)
            assert told is not None
            assert {name: one.vulnerable for name, one in told.attacks_tried.items()} == dict.fromkeys(attacks, False)
            second = await scan(target, environment, to_be_enumerated(first.facts))
            assert first.connections - second.connections == connections
            assert second.facts.get(VulnerabilityFacts) is None
            assert second.probes["vulnerabilities"] is True
            later = environment.now() + 22 * HOUR
            third = await scan(target, replace(environment, now=lambda: later), first.facts)
            assert third.connections == first.connections
            again = third.facts.get(VulnerabilityFacts)
            assert again is not None
            assert {one.at for one in again.attacks_tried.values()} == {later}
        finally:
            await workers.close()

    with nginx(tmp_path, directives, [pki.rsa]) as port:
        asyncio.run(run(port))
