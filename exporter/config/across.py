"""Conditions between sections of the configuration file: names, inherited limits, proxies."""

import operator
from collections.abc import Callable, Sequence
from datetime import timedelta

from exporter.config.celery import DEFAULT_ZONE
from exporter.config.sections import Config
from exporter.config.values import DIRECT, NEVER, SYSTEM
from exporter.errors import Problem
from exporter.model import Addresses, IpProtocol, ip_version, is_ip
from exporter.nearest import suggestion_or_all
from exporter.quoting import quoted
from exporter.yamlfile import Document

PolicyName = Callable[[str], str]
"""The name of the policy with this name or path, which must be loadable."""


def problems_across(config: Config, document: Document, policy_name: PolicyName) -> list[Problem]:
    """Settings that contradict each other, each with its place."""
    problems = _duplicates(config, document) + _too_long(config, document) + _too_old(config, document)
    problems += _too_often(config, document) + _unknown_stores(config, document)
    problems += _out_of_reach(config, document) + _resolved_elsewhere(config, document)
    problems += _unknown_zones(config, document)
    return problems + _policies_twice(config, document, policy_name)


def _duplicates(config: Config, document: Document) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for index, target in enumerate(config.targets):
        name = target.effective_name
        if name in first:
            line = document.problem(("targets", first[name]), "").line
            message = f"duplicate target {quoted(name)}, first on line {line}; give one of them another name"
            problems.append(document.problem(("targets", index), message))
        first.setdefault(name, index)
    return problems


def _against_interval(
    config: Config, document: Document, key: str, wrong: Callable[[timedelta, timedelta], bool], what: tuple[str, str]
) -> list[Problem]:
    """Every place where a duration does not fit the scan interval, by set or inherited values.

    `what` describes the problem for the duration ("longer than") and for the interval ("shorter than").
    """
    usual = config.global_
    problems = []
    own = getattr(usual, key)
    if own and own != NEVER and wrong(own, usual.scan_interval):
        problems.append(document.problem(("global", key), f"is {what[0]} scan_interval"))
    for index, target in enumerate(config.targets):
        value = getattr(target, key) or own
        if not value or value == NEVER or not wrong(value, target.scan_interval or usual.scan_interval):
            continue
        path = ("targets", index)
        if getattr(target, key):
            whose = "" if target.scan_interval else "the global "
            problems.append(document.problem((*path, key), f"is {what[0]} {whose}scan_interval"))
        elif target.scan_interval:
            problems.append(document.problem((*path, "scan_interval"), f"is {what[1]} the global {key}"))
    return problems


def _too_long(config: Config, document: Document) -> list[Problem]:
    """Scans that may take longer than the time to the next one."""
    return _against_interval(config, document, "scan_timeout", operator.gt, ("longer than", "shorter than"))


def _too_old(config: Config, document: Document) -> list[Problem]:
    """Facts that would expire before the next scan can renew them."""
    return _against_interval(config, document, "max_age", operator.lt, ("shorter than", "longer than"))


def _too_often(config: Config, document: Document) -> list[Problem]:
    """Attacks that would be tried more often than targets are scanned."""
    what = ("shorter than", "longer than")
    return _against_interval(config, document, "vulnerability_interval", operator.lt, what)


def _unknown_stores(config: Config, document: Document) -> list[Problem]:
    """Names of trust stores that are not configured."""
    known = [SYSTEM, *config.global_.trust_stores]
    named: dict[tuple[str | int, ...], str | None] = {("global",): config.global_.trust_store}
    named |= {("targets", index): target.trust_store for index, target in enumerate(config.targets)}
    problems = []
    for section, name in named.items():
        if name is not None and name not in known:
            message = f"unknown trust store {quoted(name)}{suggestion_or_all(name, known)}"
            problems.append(document.problem((*section, "trust_store"), message))
    return problems


def _out_of_reach(config: Config, document: Document) -> list[Problem]:
    """Given addresses of a family that `ip_protocol` does not use."""
    problems = []
    for index, target in enumerate(config.targets):
        key = "connect_address" if target.connect_address else "host"
        address = target.connect_address or target.host
        protocol = target.ip_protocol or config.global_.ip_protocol
        if is_ip(address) and not protocol.takes(address):
            whose = "" if target.ip_protocol else "the global "
            message = f"{quoted(address)} is an IPv{ip_version(address)} address, but {whose}ip_protocol is {protocol}"
            problems.append(document.problem(("targets", index, key), message))
    return problems


def _resolved_elsewhere(config: Config, document: Document) -> list[Problem]:
    """Choices among the addresses of a name that only the proxy resolves."""
    problems = []
    for index, target in enumerate(config.targets):
        proxy = target.proxy_url or config.global_.proxy_url
        if proxy in {None, DIRECT} or is_ip(target.connect_address or target.host):
            continue
        addresses = target.addresses or config.global_.addresses
        protocol = target.ip_protocol or config.global_.ip_protocol
        for key, choice, any_of_them in (
            ("addresses", addresses, Addresses.ONE),
            ("ip_protocol", protocol, IpProtocol.ANY),
        ):
            if choice is not any_of_them:
                message = f"is {choice}, but the proxy resolves the name; it can only be {any_of_them}"
                problems.append(document.problem(("targets", index, key), message))
    return problems


def _unknown_zones(config: Config, document: Document) -> list[Problem]:
    """Zones that have no workers."""
    usual, celery = config.global_, config.celery
    if usual.backend == "celery" and celery is None:
        return [document.problem(("global", "backend"), "is celery, but there is no section celery")]
    known = list(celery.zones) if celery and usual.backend == "celery" else None
    problems = []
    named: dict[tuple[str | int, ...], str | None] = {("global",): usual.zone}
    named |= {("targets", index): target.zone for index, target in enumerate(config.targets)}
    for section, zone in named.items():
        if zone is not None and known is None:
            problems.append(document.problem((*section, "zone"), "needs backend: celery"))
        elif zone is not None and known is not None and zone not in known:
            message = f"unknown zone {quoted(zone)}{suggestion_or_all(zone, known)}"
            problems.append(document.problem((*section, "zone"), message))
    if known is not None and usual.zone is None and DEFAULT_ZONE not in known:
        for index, target in enumerate(config.targets):
            if target.zone is None:
                message = f"has no zone, and celery.zones has none with the name {DEFAULT_ZONE}"
                problems.append(document.problem(("targets", index), message))
    return problems


def _policies_twice(config: Config, document: Document, policy_name: PolicyName) -> list[Problem]:
    """Policies of one list with the same name, by which metrics and findings distinguish them."""
    lists: list[tuple[tuple[str | int, ...], Sequence[str]]] = [
        (("policy_files",), config.policy_files),
        (("global", "policies"), config.global_.policies or ()),
        *((("targets", index, "policies"), target.policies or ()) for index, target in enumerate(config.targets)),
    ]
    names: dict[str, str] = {}
    problems = []
    for place, policies in lists:
        seen: set[str] = set()
        for index, policy in enumerate(policies):
            name = names[policy] = names.get(policy) or policy_name(policy)
            if name in seen:
                problems.append(document.problem((*place, index), f"policy {quoted(name)} is there twice"))
            seen.add(name)
    return problems
