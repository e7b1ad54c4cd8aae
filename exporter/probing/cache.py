"""What is kept of services that only `/probe` asks for: a bounded number of them, in the compact form of the store."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

MOST_ENTRIES = 1000
MOST_BYTES = 32 * 2**20
"""Some thousand services of 4 to 10 KB each. What was asked for longest ago is removed first."""
_OBJECT_BYTES, _ADDRESS_BYTES = 500, 90


@dataclass(frozen=True, slots=True)
class Kept:
    """The last scan of a service.

    Attributes:
        service: see `exporter.publisher.service_key`.
        begun_at: start of the scan.
        seconds: the time that the scan had.
        cut: the time may have ended before all was asked.
        addresses: those that were permitted, and that the facts are of; empty if the name never resolved.
        records: what was seen of each address, packed.
        log: the log of the scan, compressed.
    """

    service: str
    begun_at: datetime
    seconds: float
    cut: bool
    addresses: tuple[str, ...]
    records: tuple[bytes, ...]
    log: bytes

    @property
    def size(self) -> int:
        """Bytes of memory, roughly."""
        return _OBJECT_BYTES + len(self.log) + sum(map(len, self.records)) + _ADDRESS_BYTES * len(self.addresses)


class ProbeCache:
    """The services by key."""

    def __init__(self, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES) -> None:
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> Kept | None:
        """What is kept of the service, which counts as asked for now."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, kept: Kept) -> None:
        """Keep this of the service."""
        self.remove(key)
        self._kept[key] = kept
        self._bytes += kept.size
        while len(self._kept) > 1 and (len(self._kept) > self._most_entries or self._bytes > self._most_bytes):
            self.remove(next(iter(self._kept)))

    def remove(self, key: str) -> None:
        """Forget the service."""
        kept = self._kept.pop(key, None)
        self._bytes -= kept.size if kept else 0

    def __len__(self) -> int:
        return len(self._kept)
