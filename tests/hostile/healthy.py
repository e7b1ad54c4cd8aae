"""The healthy neighbours of the farm: twenty real servers on 127.0.0.1."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.support.servers import SEED_NGINX, WEAK_NGINX, Pki, apache, haproxy, nginx
from tests.support.stacks import asyncio_server, lighttpd

Start = Callable[[Path, Pki], AbstractContextManager[int]]

_STARTS: tuple[Start, ...] = (
    *[lambda folder, pki: nginx(folder, SEED_NGINX, [pki.ecdsa, pki.rsa])] * 5,
    *[lambda folder, pki: nginx(folder, WEAK_NGINX, [pki.rsa])] * 4,
    *[lambda folder, pki: haproxy(folder, "alpn h2,http/1.1", [pki.ecdsa])] * 4,
    *[lambda folder, pki: lighttpd(folder, pki.ecdsa)] * 4,
    *[lambda folder, pki: apache(folder, "", [pki.ecdsa])] * 2,
    lambda folder, pki: asyncio_server(folder, pki.ecdsa),
)
NAMES = tuple(f"healthy-{number:02}" for number in range(1, len(_STARTS) + 1))
"""The targets; `DOMAIN` is below them."""
DOMAIN = "test.example"


@contextmanager
def healthy_servers(folder: Path, pki: Pki) -> Iterator[dict[str, int]]:
    """Start them; yields the port of each."""
    with ExitStack() as servers:
        ports = {}
        for name, start in zip(NAMES, _STARTS, strict=True):
            own = folder / name
            own.mkdir()
            own.chmod(0o755)  # Apache leaves root
            ports[name] = servers.enter_context(start(own, pki))
        yield ports
