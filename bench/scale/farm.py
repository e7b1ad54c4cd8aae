"""Thousands of targets on loopback, each on an address of its own, and the few servers behind them.

The servers listen on all addresses. All of 127.0.0.0/8 is local, so each server is reached at every address of it.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import free_port, running, wait_for
from tests.support.servers import HOST, SEED_NGINX, WEAK_NGINX, haproxy, make_pki, nginx

EVERYWHERE = "0.0.0.0"  # noqa: S104 - loopback's addresses, in a network namespace when it is the long form
ROOT = Path(__file__).parents[2]
START_SECONDS = 60
MOST_TARGETS = 62_500 * 60
"""How many addresses `address` has."""

SHARES: Mapping[str, int] = {
    "checklist": 70,
    "weak": 10,
    "haproxy": 7,
    "distant": 5,
    "refused": 4,
    "dropped": 1,
    "slow": 1,
    "garbage": 1,
    "reset": 1,
}
"""Kind of target -> how many of a hundred are of this kind.

checklist, weak: nginx as the checklist requires, and with all that its OpenSSL has. haproxy: HAProxy by its defaults.
distant: the first one, with a round trip of 20 ms. refused: nothing listens. dropped: the connection is not answered.
slow: a byte each half second. garbage: bytes that are not TLS. reset: the connection is reset after the hello.
"""
MODERN_NGINX = "ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;"
"""A server whose complete scan is cheap. Its kind, `modern`, is not in the mix: the soak test has it."""
NGINX: Mapping[str, str] = {"checklist": SEED_NGINX, "weak": WEAK_NGINX, "modern": MODERN_NGINX}
ODD = ("distant", "dropped", "slow", "garbage", "reset")
"""Those of `bench.scale.odd`."""
HAPROXY_LINE = "alpn h2,http/1.1"
_MIXED = tuple(kind for kind, share in SHARES.items() for _ in range(share))
_STEP = 37
"""Without a common divisor with 100: the kinds of the first few targets differ, and each hundred has the shares."""


Group = Mapping[str, Sequence[str] | Mapping[str, str]]


def kind_of(number: int) -> str:
    """The kind of the target with this number."""
    return _MIXED[number * _STEP % len(_MIXED)]


def address(number: int) -> str:
    """The address of the target with this number, which no other has."""
    return f"127.{64 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


@dataclass(frozen=True, slots=True)
class ScaleFarm:
    """The servers; `ports` has one port for each kind of target."""

    ports: Mapping[str, int]
    bundle: Path

    def target(self, number: int, kind: str | None = None) -> str:
        """The target with this number, as an entry of `targets:`."""
        return f"https://{address(number)}:{self.ports[kind or kind_of(number)]}"


def group(targets: Sequence[str], **labels: str) -> Group:
    """A group of a list of `file_sd_configs`."""
    return {"targets": list(targets), "labels": {"__server_name__": HOST, **labels}}


@contextmanager
def scale_farm(folder: Path, kinds: Sequence[str] = tuple(SHARES)) -> Iterator[ScaleFarm]:
    """Start the servers of these kinds of targets."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    pki = make_pki(folder)
    both = [pki.ecdsa, pki.rsa]
    ports = {"refused": free_port()}
    with ExitStack() as servers:
        for kind in dict.fromkeys(("checklist", *kinds)):  # the first one is also the upstream of `distant`
            place = folder / kind
            place.mkdir()
            if kind == "haproxy":
                ports[kind] = servers.enter_context(haproxy(place, HAPROXY_LINE, both, host=EVERYWHERE))
            elif kind in NGINX:
                ports[kind] = servers.enter_context(nginx(place, NGINX[kind], both, host=EVERYWHERE))
        odd = {kind: free_port() for kind in ODD if kind in kinds}
        if odd:
            servers.enter_context(_odd(folder, odd, ports["checklist"]))
        yield ScaleFarm({**ports, **odd}, pki.bundle)


@contextmanager
def _odd(folder: Path, ports: Mapping[str, int], upstream: int) -> Iterator[None]:
    ready, log = folder / "odd.ready", folder / "odd.log"
    command = [sys.executable, "-m", "bench.scale.odd", str(ready), str(upstream), json.dumps(ports)]
    with running(command, log, environment={"PYTHONPATH": str(ROOT)}) as process:
        wait_for("the odd servers", START_SECONDS, lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]  # noqa: S101 - says why
        yield
