"""Sharding: several exporters with the same list of targets, each of which scans its share.

The assignment is rendezvous hashing (Thaler, Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998): a
target belongs to the shard with the highest hash of target and shard. It depends on nothing but the name and the
number of shards. One more shard takes its share from all others, and no other target moves.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from exporter.errors import ExporterError
from exporter.targets.discovered import TargetList


def shard_of(name: str, total: int) -> int:
    """The index of the shard, of so many, that the target with this name belongs to."""
    text = name.encode(errors="surrogatepass")
    return max(range(total), key=lambda index: blake2b(text, digest_size=8, salt=index.to_bytes(16)).digest())


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several exporters with the same list of targets.

    Attributes:
        index: from 0.
        total: the number of exporters.
    """

    index: int
    total: int

    def __str__(self) -> str:
        return f"shard {self.index} of {self.total}"

    def part_of(self, listing: TargetList) -> TargetList:
        """The list with the targets of this shard only; outcomes and rejected targets are those of all shards."""
        targets = tuple(one for one in listing.targets if shard_of(one.name, self.total) == self.index)
        found_in = {one.name: listing.found_in[one.name] for one in targets}
        return replace(listing, targets=targets, found_in=found_in, elsewhere=len(listing.targets) - len(targets))


def chosen_shard(options: Any) -> Shard | None:  # noqa: ANN401 - argparse.Namespace, whose attributes have any type
    """The shard that the flags name; None without them.

    Raises:
        ExporterError: only one of the flags is given, or there is no such shard.
    """
    index, total = options.shard_index, options.shard_total
    if index is None and total is None:
        return None
    if index is None or total is None:
        raise ExporterError("--shard.index and --shard.total are needed together")
    if index >= total:
        raise ExporterError(f"--shard.index={index}: with --shard.total={total}, indexes are 0 to {total - 1}")
    return Shard(index, total)
