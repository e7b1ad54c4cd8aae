"""Makes targets of what sources found, and one list of these and the configured ones."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from exporter.config import Config
from exporter.config.across import problems_across
from exporter.config.sections import TargetSettings
from exporter.config.values import RESERVED_LABELS
from exporter.errors import TargetError
from exporter.model import Target
from exporter.quoting import quoted
from exporter.services import parse_service
from exporter.targets import make_target, static_targets
from exporter.targets.files import FILEPATH
from exporter.targets.groups import ADDRESS, Group, Labels
from exporter.targets.relabel import RelabelRule, compile_rules, relabel
from exporter.yamlfile import in_words, parse_document

CONFIGURED = "targets"
"""Where targets of the configuration file are found: its key there."""
NAME, POLICY = "__target__", "__policy__"
_OPTIONS = {
    f"__{option}__": option
    for option in (
        *("host", "port", "protocol", "starttls", "server_name", "connect_address", "mail_domain", "distribution"),
        *("scan_interval", "scan_timeout", "timeout", "max_age", "vulnerability_interval", "ehlo_name"),
        *("connections_per_host", "connection_gap", "addresses", "ip_protocol", "trust_store", "zone"),
    )
} | {NAME: "name"}
"""Labels with options of a target. Options that name files or a proxy are not among them, because others write the
lists."""
_NUMBERS = {"port", "connections_per_host"}
MAX_LABEL_CHARACTERS = 4096
"""Of all labels of a target together, with their names. Each of its hundreds of series has all of them."""
_TOO_LONG = f"the labels of the target have more than {MAX_LABEL_CHARACTERS} characters in all"
_SURROGATE = re.compile("[\ud800-\udfff]")
_PREFIX = "exported_"
"""Prometheus' prefix for labels of others that clash with its own."""
_NOWHERE = parse_document("", "{}")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A target that cannot be used.

    Attributes:
        labels: as they were found.
        problem: why.
    """

    source: str
    labels: Labels
    problem: str

    @property
    def place(self) -> str:
        """Where it was found: its source, and the file if that has one."""
        file = self.labels.get(FILEPATH)
        return f"{self.source}: {file}" if file else self.source


@dataclass(frozen=True, slots=True)
class TargetList:
    """All targets.

    Attributes:
        found_in: the sources of each target, by its name. The first one decided on its options.
        outcomes: what became of the targets of each source: `used`, `merged`, `dropped`, `rejected`.
        rejected: the first few of them.
        elsewhere: how many other targets belong to other shards.
    """

    targets: tuple[Target, ...]
    found_in: Mapping[str, tuple[str, ...]]
    outcomes: Mapping[str, Mapping[str, int]]
    rejected: tuple[Rejected, ...]
    elsewhere: int = 0


NO_TARGETS = TargetList((), {}, {}, ())
OUTCOMES = ("used", "merged", "dropped", "rejected")
MOST_REJECTED_SHOWN = 100


class Lister:
    """Makes the list under one configuration. Called by one thread at a time."""

    def __init__(self, config: Config, policies: Mapping[str, str]) -> None:
        """Create it.

        Args:
            config: the configuration.
            policies: the policies that labels may name: name -> what targets have for it, a name or a file.
        """
        self._config, self._policies = config.without_targets(), policies
        self._static = static_targets(config)
        self._rules_of = _rules(config)
        self._alone = self._config.model_copy(update={"policy_files": []})  # for the conditions between its options
        self._made: dict[tuple[str, frozenset[tuple[str, str]]], Target | str | None] = {}
        self._last: dict[str, Target] = {}

    def make(self, found: Mapping[str, Sequence[Group]]) -> TargetList:
        """One list of the configured targets and of those that these sources found, without repetitions.

        A target is found again if it is the same service, or has the same name. The first one counts. It gets the
        labels of later ones that it has not.
        """
        merging = _Merging()
        for target in self._static:
            merging.add_configured(target)
        made: dict[tuple[str, frozenset[tuple[str, str]]], Target | str | None] = {}
        for source, groups in found.items():
            merging.outcomes[source] = Counter()
            for labels in _label_sets(groups):
                key = source, frozenset(labels.items())
                if key not in made:
                    made[key] = self._made[key] if key in self._made else self._make(source, labels)
                merging.add(source, labels, made[key])
        self._made = made
        listing = merging.result(self._last)
        self._last = {target.name: target for target in listing.targets}
        return listing

    def _make(self, source: str, labels: Labels) -> Target | str | None:
        """The target; None if it is dropped; what is wrong with it."""
        try:
            kept = relabel(labels, self._rules_of.get(source, ()))
            if kept is None:
                return None
            return make_target(self._settings({name: _unicode(kept[name]) for name in kept}), self._config.global_)
        except TargetError as error:
            return str(error)

    def _settings(self, labels: Labels) -> TargetSettings:
        """The settings that these labels mean.

        Raises:
            TargetError: they mean none.
        """
        options = _from_address(labels, needed=not labels.get("__host__"))
        own: dict[str, object] = {
            option: _number(labels[label]) if option in _NUMBERS else labels[label]
            for label, option in _OPTIONS.items()
            if labels.get(label)
        }
        if "host" not in {*options, *own}:
            raise TargetError(f"there is neither {ADDRESS} nor __host__")
        if "starttls" in own or "protocol" in own:
            options = {**options, "starttls": None, "protocol": None}
        try:
            settings = TargetSettings.model_validate(
                {**options, **own, "policies": self._named(labels), "labels": _plain(labels)}
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise TargetError(f"{where}: {in_words(first)}" if where else in_words(first)) from None
        problems = problems_across(
            self._alone.model_copy(update={"targets": [settings]}), _NOWHERE, lambda policy: policy
        )
        if problems:
            option = problems[0].path.removeprefix("targets.0").removeprefix(".")
            raise TargetError(f"{option}: {problems[0].message}" if option else problems[0].message)
        return settings

    def _named(self, labels: Labels) -> list[str] | None:
        """The policies that the labels name.

        Raises:
            TargetError: one of them is not available to labels.
        """
        if not labels.get(POLICY):
            return None
        names = [name.strip() for name in labels[POLICY].split(",")]
        for name in names:
            if name not in self._policies:
                raise TargetError(f"{POLICY}: {quoted(name)} is neither a shipped policy nor one of policy_files")
        return list(dict.fromkeys(self._policies[name] for name in names))


def _rules(config: Config) -> dict[str, tuple[RelabelRule, ...]]:
    """The rules for the targets of each source: its own ones, then those for all."""
    return {
        place: compile_rules([*source.relabel_configs, *config.relabel_configs])
        for place, source in config.sources.items()
    }


class _Merging:
    """A list that grows."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Counter[str]] = {}
        self._targets: dict[str, Target] = {}
        self._found_in: dict[str, list[str]] = {}
        self._name_of: dict[tuple[object, ...], str] = {}
        self._rejected: list[Rejected] = []

    def add_configured(self, target: Target) -> None:
        """Add a target of the configuration file, where one service may have several names."""
        self._targets[target.name] = target
        self._found_in[target.name] = [CONFIGURED]
        self._name_of.setdefault(_service(target), target.name)

    def add(self, source: str, labels: Labels, made: Target | str | None) -> None:
        """Add what was made of these labels."""
        if made is None:
            self.outcomes[source]["dropped"] += 1
        elif isinstance(made, str):
            self._reject(source, labels, made)
        else:
            self._add_target(source, labels, made)

    def _add_target(self, source: str, found: Labels, target: Target) -> None:
        name = self._name_of.get(_service(target))
        if name is None and target.name in self._targets:
            other = self._targets[target.name]
            where = f"{other.host} port {other.port}"
            self._reject(source, found, f"the name {quoted(target.name)} belongs to another service, {where}")
            return
        if name is None:
            self._targets[target.name] = target
            self._found_in[target.name] = [source]
            self._name_of[_service(target)] = target.name
            self.outcomes[source]["used"] += 1
            return
        known = self._targets[name]
        more = {label: value for label, value in target.labels.items() if label not in known.labels}
        if more:
            labels = {**known.labels, **more}
            if _are_too_long(labels):
                self._reject(source, found, f"{_TOO_LONG}, together with those of {quoted(name)}")
                return
            self._targets[name] = replace(known, labels=labels)
        if source not in self._found_in[name]:
            self._found_in[name].append(source)
        self.outcomes[source]["merged"] += 1

    def _reject(self, source: str, labels: Labels, problem: str) -> None:
        self.outcomes[source]["rejected"] += 1
        if len(self._rejected) < MOST_REJECTED_SHOWN:
            self._rejected.append(Rejected(source, labels, problem))

    def result(self, before: Mapping[str, Target]) -> TargetList:
        """The list; targets that are equal to those before are the same objects."""
        return TargetList(
            tuple(old if (old := before.get(name)) == target else target for name, target in self._targets.items()),
            {name: tuple(sources) for name, sources in self._found_in.items()},
            {source: {one: counts[one] for one in OUTCOMES} for source, counts in self.outcomes.items()},
            tuple(self._rejected),
        )


def _service(target: Target) -> tuple[object, ...]:
    """What two targets have in common if one scan is enough for both."""
    return target.host, target.port, target.starttls, target.server_name, target.connect_address, target.zone


def _label_sets(groups: Sequence[Group]) -> Iterator[dict[str, str]]:
    for group in groups:
        yield from group.label_sets()


def _from_address(labels: Labels, *, needed: bool) -> dict[str, object]:
    """The options in `__address__`; none where it is not needed and has another form.

    Raises:
        TargetError: it is neither a host, a host with port, nor a URL as in `targets`.
    """
    address = labels.get(ADDRESS)
    if not address:
        return {}
    try:
        service = parse_service(address)
    except TargetError:
        if needed:
            raise
        return {}
    protocol = None if service.starttls else service.protocol
    return {"host": service.host, "port": service.port, "starttls": service.starttls, "protocol": protocol}


def _unicode(text: str) -> str:
    """The text without lone surrogates, which names of files have, and which cannot be encoded."""
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _plain(labels: Labels) -> dict[str, str]:
    """The labels of the target: those that do not begin with two underscores.

    A label that the exporter or Prometheus sets itself gets Prometheus' prefix, as often as it takes.

    Raises:
        TargetError: they are too long.
    """
    plain = {name: value for name, value in labels.items() if not name.startswith("__") and value}
    for name in sorted(plain.keys() & RESERVED_LABELS):
        value, renamed = plain.pop(name), _PREFIX + name
        while renamed in plain:
            renamed = _PREFIX + renamed
        plain[renamed] = value
    if _are_too_long(plain):
        raise TargetError(_TOO_LONG)
    return dict(sorted(plain.items()))


def _are_too_long(labels: Labels) -> bool:
    return sum(len(name) + len(value) for name, value in labels.items()) > MAX_LABEL_CHARACTERS
