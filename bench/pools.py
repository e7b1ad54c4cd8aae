"""How often a scan passes several machines behind one address although one of them is weak.

    python -m bench.pools [SCANS]

A simulation with scripted servers. The weak machine differs from the good ones in one thing. It prints the table of
docs/pools.md; `tests/probes/handshake/test_pools.py` runs it with few scans. "Again" is the next scan of the same
exporter after a scan that reached the weak machine.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from exporter.tls.suites import suite_name
from tests.support.pools import AtRandom, ByTurns
from tests.support.scripted import Script, Stack, scripted_server
from tests.support.targets import read_handshake

TLS13 = (0x1302, 0x1303, 0x1301)
GCM = (0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F)
OLD_SUITES = (0xC014, 0xC013, 0x002F)
_MARK = bytes(24) + b"DOWNGRD\x01"

GOOD = Stack({0x0303: GCM, 0x0304: TLS13}, random=_MARK, certificates={"RSA": (b"rsa",), "ECDSA": (b"ecdsa",)})
OLD = replace(GOOD, accepted={**GOOD.accepted, 0x0301: OLD_SUITES, 0x0302: OLD_SUITES})
NO_TLS13 = replace(GOOD, accepted={0x0301: OLD_SUITES, 0x0302: OLD_SUITES, 0x0303: GCM}, random=bytes(32))
RC4 = replace(GOOD, accepted={**GOOD.accepted, 0x0303: (*GCM, 0x0005)})
CBC = replace(GOOD, accepted={**GOOD.accepted, 0x0303: (*GCM, 0xC012)})
OTHER_CERTIFICATE = replace(GOOD, certificates={"RSA": (b"another",), "ECDSA": (b"and another",)})
WEAK = {
    "TLS 1.0 to 1.2 alone": NO_TLS13,
    "TLS 1.0 and 1.1 as well": OLD,
    "a suite without ECDHE as well": RC4,
    "a suite with ECDHE as well": CBC,
    "another certificate": OTHER_CERTIFICATE,
}
"""How the weak machine differs -> the machine."""
SIZES = (2, 3, 5, 10)
OLD_PROTOCOLS = (Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1)


def passes(facts: HandshakeFacts) -> bool:
    """Whether protocols, suites and certificates are good, without contradictions, and all of them are known."""
    names = {suite_name(code) for code in GCM}
    suites = facts.cipher_suites.get(Protocol.TLS1_2, ())
    known = Protocol.TLS1_2 not in facts.cipher_suites_incomplete and names.issuperset(suites)
    return known and all(facts.protocols[protocol] is False for protocol in OLD_PROTOCOLS) and not facts.contradictions


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of pool: shares of scans that passed it.

    Attributes:
        again: share of scans after a scan that reached the weak machine.
    """

    weak: str
    machines: int
    by_turns: float
    at_random: float
    again: float


async def passed(server: Script, before: HandshakeFacts | None = None) -> bool:
    """Whether one scan passes this server."""
    async with scripted_server(server) as seen:
        facts, _ = await read_handshake(seen.port, before=before)
    return passes(facts)


async def measure(weak: str, machines: int, scans: int) -> Row:
    """The shares, each from this number of scans."""
    pool = [GOOD] * (machines - 1) + [WEAK[weak]]
    async with scripted_server(WEAK[weak]) as seen:
        before, _ = await read_handshake(seen.port)
    if weak == "another certificate":
        before = replace(before, contradictions=("TLSv1.2: certificate",))
    by_turns = [await passed(ByTurns(pool, start)) for start in range(scans)]
    at_random = [await passed(AtRandom(pool, seed)) for seed in range(scans)]
    again = [await passed(AtRandom(pool, seed), before) for seed in range(scans)]
    return Row(weak, machines, *(sum(results) / scans for results in (by_turns, at_random, again)))


def table(rows: list[Row]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| the weak machine has | one of | by turns | at random | at random, again |"
    yield "|---|---|---|---|---|"
    for row in rows:
        shares = " | ".join(f"{share:.1%}" for share in (row.by_turns, row.at_random, row.again))
        yield f"| {row.weak} | {row.machines} | {shares} |"


async def _main(scans: int) -> None:
    rows = [await measure(weak, machines, scans) for weak in WEAK for machines in SIZES]
    sys.stdout.write("\n".join(table(rows)) + "\n")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # connections of scripted servers are cut
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
