"""Reports from the folder in which a daemon stores its results."""

from collections.abc import Sequence
from pathlib import Path

from exporter.environment import utc_now
from exporter.fleet import KeyIndex
from exporter.loading import Loader
from exporter.metrics import Exposition, OwnMetrics
from exporter.model import Report, Target
from exporter.policies import read_config
from exporter.publisher import Publisher, Setup
from exporter.querying import TargetFilter
from exporter.ranking import ranked
from exporter.reports.base import ReportSet, used_policies
from exporter.sharding import Shard
from exporter.store import Store
from exporter.store.stored import read_stored
from exporter.summaries import Summary, judged_of
from exporter.targets.lists import Lists


def stored_reports(config_file: Path, folder: Path, wanted: TargetFilter, shard: Shard | None = None) -> ReportSet:
    """The reports of these targets at this time, as the daemon would make them. Blocks.

    Targets of sources are those of their last lists. With a shard, only its targets count: the folder has no others.

    Raises:
        ConfigError: the configuration has mistakes.
        ExporterError: the folder cannot be used.
    """
    config = read_config(config_file)
    latest, lists, keys, store = read_stored(folder), Lists(folder), KeyIndex(), Store()
    store.restore(latest)
    groups = {place: found for place in config.sources if (found := lists.load(place)) is not None}
    loader = Loader(Setup, keys.neighbours)
    loader.shard = shard
    _, _, setup = loader.setup_of(config, groups)
    publisher = Publisher(store, Exposition(OwnMetrics()), keys, utc_now)
    publisher.apply(setup)
    reports, missing = list[Sequence[Report]](), list[Target]()
    for name, target in sorted(setup.targets.items()):
        of_target = publisher.reports_of(name)
        policies = tuple(policy.name for policy in setup.judge.policies_of(target))
        if wanted.matches(Summary(target, policies, judged_of(of_target) if of_target else None)):
            if of_target:
                reports.append(of_target)
            else:
                missing.append(target)
    used = used_policies(reports, setup.judge.policies.values())
    return ReportSet(ranked(reports), used, utc_now(), missing, setup.full)
