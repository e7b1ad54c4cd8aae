"""Parsers of a server's software: header fields, and greetings before and inside TLS."""

from collections.abc import Iterable, Sequence

from exporter.net.tls import TLSSession
from exporter.probes.certificate.greeting import MAX_GREETING_BYTES, hear
from exporter.software.fields import SERVER, SOURCES, read_fields
from exporter.software.files import shipped_table
from exporter.software.greetings import read_greeting
from exporter.software.packages import WINDOWS
from exporter.software.shown import MAX_TEXT, Shown, as_name, as_version
from exporter.software.support import support
from fuzz.memory import NOW, Peer, end_of, pieces, run


def _judged(found: Iterable[Shown]) -> None:
    """Check that software has the restricted form of labels, and that verdicts have a basis."""
    for one in found:
        assert as_name(one.product) == one.product
        assert one.version is None or as_version(one.version) == one.version
        verdict = support(one, shipped_table(), NOW)
        assert verdict.maintained is None or one.version is not None, "a hidden version is judged"
        marked = one.package is not None and one.package.distribution != WINDOWS
        assert not (marked and verdict.maintained), "a package is known to be maintained"


def fields(data: bytes) -> None:
    """Header fields of one response, one per line. Lines with an unknown name count as `Server`."""
    given = []
    for line in data.decode("latin-1").split("\n"):
        name, colon, value = line.partition(": ")
        given.append((name, value) if colon and name in SOURCES else (SERVER, line))
    found = read_fields(given)
    assert found == [one for field in given for one in read_fields([field])], "fields change each other"
    assert len(found) <= MAX_TEXT * len(given)
    _judged(found)


class _Speaking(TLSSession):
    """A session whose server sends these pieces."""

    def __init__(self, said: Sequence[bytes], end: type[Exception] | None) -> None:
        self._peer = Peer(said, end)

    def limit(self, seconds: float) -> None:
        """Ignore the limit: nothing waits."""

    async def read(self) -> bytes:
        return await self._peer.read()


def greeting(data: bytes) -> None:
    """The greeting of a server, in one piece and split."""
    heard = run(hear(_Speaking([data] if data else [], end_of(data))))
    assert heard == run(hear(_Speaking(pieces(data), end_of(data)))), "the result depends on how the bytes are split"
    if heard is None:
        return
    assert heard.isprintable()
    assert len(heard) <= min(MAX_TEXT, MAX_GREETING_BYTES)
    for dialogue in ("smtp", "mysql"):  # all except mysql are read the same way
        found = read_greeting(dialogue, heard)
        assert len(found) <= 1
        _judged(found)
