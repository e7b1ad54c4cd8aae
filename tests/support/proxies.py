"""Real proxies that resolve a name which nothing else here resolves."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from exporter.model import Proxy
from tests.support.processes import find_program, free_port, running

ONLY_FOR_PROXIES = "www.behind-the-proxy.example"
"""A name that resolves to 127.0.0.1 in the proxies, and not at all elsewhere."""

USER, PASSWORD = "scanner", "hunter2"


def _names(folder: Path) -> dict[str, str]:
    """The environment in which a program resolves the name."""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 {ONLY_FOR_PROXIES}\n")
    return {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(hosts)}


@contextmanager
def tinyproxy(folder: Path) -> Iterator[Proxy]:
    """HTTP CONNECT."""
    port = free_port()
    config = folder / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 20\nLogLevel Info\nBasicAuth {USER} {PASSWORD}\n")
    command = [find_program("tinyproxy"), "-d", "-c", str(config)]
    with running(command, folder / "tinyproxy.log", port=port, environment=_names(folder)):
        yield Proxy("http", "127.0.0.1", port, USER, PASSWORD)


@contextmanager
def microsocks(folder: Path) -> Iterator[Proxy]:
    """SOCKS 5."""
    port = free_port()
    command = [find_program("microsocks"), "-i", "127.0.0.1", "-p", str(port), "-u", USER, "-P", PASSWORD]
    with running(command, folder / "microsocks.log", port=port, environment=_names(folder)):
        yield Proxy("socks5", "127.0.0.1", port, USER, PASSWORD)


PROXIES: dict[str, Callable[[Path], AbstractContextManager[Proxy]]] = {"tinyproxy": tinyproxy, "microsocks": microsocks}
