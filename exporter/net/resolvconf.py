"""The system's configuration of name resolution, resolv.conf(5), as glibc reads it."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from dns.asyncresolver import Resolver

from exporter.files import read_file
from exporter.model import is_ip
from exporter.net.nameservers import make_resolver
from exporter.shortage import raise_shortage

RESOLV_CONF = Path("/etc/resolv.conf")
MOST_NAMESERVERS = 3
MOST_DOTS = 15
"""MAXNS and RES_MAXNDOTS of glibc's resolv.h: further name servers are ignored, and a larger number of dots is
reduced."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What the file says.

    Attributes:
        nameservers: IP literals.
        search: domains in which names are looked up, without a final dot; the root is empty.
        dots: names with fewer dots than this are looked up in the domains first, other names last.
    """

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    dots: int = 1

    def names(self, name: str) -> tuple[str, ...]:
        """The absolute names that a name may mean, in the order in which they are tried; without a final dot.

        A name with a final dot is absolute.
        """
        if name.endswith("."):
            return (name[:-1],)
        below = [f"{name}.{domain}" if domain else name for domain in self.search]
        return tuple(dict.fromkeys([name, *below] if name.count(".") >= self.dots else [*below, name]))


def read_resolv_conf(path: Path = RESOLV_CONF) -> ResolvConf:
    """The current configuration. A file that cannot be read counts as empty; unknown lines are ignored.

    The environment (LOCALDOMAIN, RES_OPTIONS) has precedence over the file. Without a search list, the domain of this
    machine's own name is searched, if it has one.

    Raises:
        ShortageError: this machine has no descriptor for it.
    """
    try:
        text = read_file(path).decode("utf-8", "replace")
    except OSError as error:
        raise_shortage(error, f"cannot read {path}")
        text = ""
    nameservers: list[str] = []
    search, options = [socket.gethostname().partition(".")[2]], ""
    for keyword, *words in (line.split() for line in text.splitlines() if line[:1] not in {"#", ";"} and line.strip()):
        match keyword:
            case "nameserver" if words and is_ip(words[0]):
                nameservers.append(words[0])
            case "search" | "domain" if words:
                search = words[:1] if keyword == "domain" else words  # the last line counts
            case "options":
                options += f" {' '.join(words)}"
    search = os.environ.get("LOCALDOMAIN", "").split() or [domain for domain in search if domain]
    dots = re.findall(r"(?:^| )ndots:([0-9]+)", f"{options} {os.environ.get('RES_OPTIONS', '')}")
    return ResolvConf(
        tuple(nameservers[:MOST_NAMESERVERS]),
        tuple(domain.removesuffix(".") for domain in search),
        min(int(dots[-1]), MOST_DOTS) if dots else 1,
    )


class SystemResolver:
    """The system's name servers, as they are now."""

    def __init__(self, path: Path = RESOLV_CONF) -> None:
        self._path = path
        self._seen = self._state()

    def read(self) -> Resolver:
        """A resolver for them; without any name server, all its lookups fail."""
        return make_resolver(read_resolv_conf(self._path).nameservers)

    def renewed(self) -> Resolver | None:
        """A new resolver if the file has changed since the last check, otherwise None."""
        state = self._state()
        if state == self._seen:
            return None
        resolver = self.read()
        self._seen = state  # not before: a file that could not be read now is read again
        return resolver

    def _state(self) -> tuple[int, ...] | None:
        """Values that change with the file; symbolic links are followed."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
