"""What `check-config` says about exceptions that are valid and have no effect."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from exporter.config import Config
from exporter.exceptions import AcceptedFailures, accepted_failures
from exporter.model import Target
from exporter.policies import Policy, load_policy
from exporter.selectors import labels_of


def exception_hints(config: Config, targets: Sequence[Target], day: date) -> Iterator[str]:
    """A line for each exception that accepts nothing.

    Args:
        config: the configuration.
        targets: those of the configuration and of its other files.
        day: today, UTC.
    """
    named = {name for target in targets for name in target.policies} if config.exceptions else set()
    policies = {name: load_policy(name) for name in named}
    elsewhere = len(config.sources) > len(config.file_sd_configs)
    for index, settings in enumerate(config.exceptions):
        one = accepted_failures(settings)
        if one.has_ended(day):
            yield f"exceptions.{index}: ended on {settings.until}"
        elif (why := _without_effect(one, targets, policies)) is not None:
            yield f"exceptions.{index}: {why}" + ("; targets of other sources are not known here" if elsewhere else "")


def _without_effect(one: AcceptedFailures, targets: Sequence[Target], policies: Mapping[str, Policy]) -> str | None:
    selected = [target for target in targets if one.selects(labels_of(target))]
    if not selected:
        return "matches no target"
    for name in {name for target in selected for name in target.policies}:
        policy = policies[name]
        for check, demands in policy.demands.items():
            if any(one.asks(policy.name, check, demand.severity) for demand in demands):
                return None
    return "no target that it matches is judged by such a check"
