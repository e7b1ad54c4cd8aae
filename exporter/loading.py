"""What a configuration, and the lists of its sources of targets, lead to. That can take seconds: it runs in threads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.case import Neighbours
from exporter.config import Config
from exporter.exceptions import read_exceptions
from exporter.judge import load_judge
from exporter.policies import named_policies
from exporter.publisher import Setup
from exporter.sharding import Shard
from exporter.shown import digest_of
from exporter.targets.discovered import Lister, TargetList
from exporter.targets.discovery import Staged
from exporter.targets.groups import Group


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read and checked.

    Attributes:
        config: without the settings of targets.
        setup: the settings that it leads to, with all targets.
        staged: its sources of targets.
        groups: what these had found, as it is in the setup.
        lister: makes the list of all targets.
        listing: that list.
    """

    config: Config
    setup: Setup
    staged: Staged
    groups: Mapping[str, Sequence[Group]]
    lister: Lister
    listing: TargetList


class Loader:
    """Loads configurations. Targets, and the judge, that are equal to those in use are the same objects.

    What is the same object is not judged again: a reload costs what it changes.

    Attributes:
        shard: whose targets are used; None uses all.
    """

    def __init__(self, in_use: Callable[[], Setup], neighbours: Callable[[str], Neighbours]) -> None:
        """Create it.

        Args:
            in_use: the setup in use.
            neighbours: see `Judge`.
        """
        self._in_use, self._neighbours = in_use, neighbours
        self.shard: Shard | None = None

    def load(self, config: Config, staged: Staged) -> Loaded:
        """Load a configuration; reads its policies and tables.

        Raises:
            ConfigError: a policy, or one of `eol_files`, has become invalid since the configuration was read.
        """
        groups = staged.groups
        lister, listing, setup = self.setup_of(config, groups)
        return Loaded(config.without_targets(), setup, staged, groups, lister, listing)

    def setup_of(self, config: Config, groups: Mapping[str, Sequence[Group]]) -> tuple[Lister, TargetList, Setup]:
        """What a configuration leads to with these lists of its sources.

        Raises:
            ConfigError: see `load`.
        """
        named = named_policies(config.policy_files)
        lister = Lister(config, named)
        listing = self._share(lister.make(groups))
        others = [*named.values(), *config.global_.all_policies]
        judge = load_judge(
            listing.targets, config.software.eol_files, self._neighbours, others, read_exceptions(config.exceptions)
        )
        full = config.metrics.detail == "full"
        digest = digest_of(sorted(judge.policies.items()), judge.table, config.exceptions, full)
        now = self._in_use()
        if digest is not None and digest == now.digest:
            judge = now.judge
        setup = self._with_targets(Setup(judge=judge, full=full, named=named, digest=digest), listing)
        return lister, listing, setup

    def with_lists(self, loaded: Loaded, groups: Mapping[str, Sequence[Group]]) -> Loaded:
        """The same configuration with what its sources have found now."""
        listing = self._share(loaded.lister.make(groups))
        return replace(loaded, setup=self._with_targets(loaded.setup, listing), groups=groups, listing=listing)

    def _share(self, listing: TargetList) -> TargetList:
        return listing if self.shard is None else self.shard.part_of(listing)

    def _with_targets(self, setup: Setup, listing: TargetList) -> Setup:
        before, asking = self._in_use().targets, setup.judge.each_with_questions(listing.targets)
        targets = {one.name: old if (old := before.get(one.name)) == one else one for one in asking}
        return replace(setup, targets=targets)
