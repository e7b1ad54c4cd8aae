"""The remedy for unsupported software: which releases are maintained now."""

import re

from exporter.case import Case
from exporter.derived.software import Judged, Software
from exporter.model import Remedy
from exporter.moments import Time
from exporter.remedies.servers import BY_PRODUCT, Server
from exporter.software.packages import WINDOWS
from exporter.software.shown import Shown
from exporter.software.support import SupportTable, series_support

MOST_NAMED = 6
"""Maximum number of releases of one product in a remedy; the newest are named."""

_NAMES = {
    "apache-http-server": "Apache httpd",
    "microsoft-iis": "IIS",
    "windows-server": "Windows Server",
    "eclipse-jetty": "Jetty",
    "amazon-linux": "Amazon Linux",
    "php": "PHP",
    "openssl": "OpenSSL",
    "haproxy": "HAProxy",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "rhel": "RHEL",
    "nginx": "nginx",
}
"""Names of products as their makers write them, where a capital first letter is not enough."""


def software_updates(case: Case) -> tuple[Remedy, ...]:
    """The version to update each product to that is not maintained."""
    facts = case.facts.get(Software)
    found: dict[Server, list[str]] = {}
    for one in facts.outdated if facts else ():
        found.setdefault(BY_PRODUCT.get(one.shown.product, Server.ANY), []).append(_update(one, case))
    if not found:
        return (Remedy(Server.ANY, (), "Update the software to a release that is maintained."),)
    return tuple(Remedy(server, (), " ".join(dict.fromkeys(notes))) for server, notes in found.items())


def _update(one: Judged, case: Case) -> str:
    """The instruction for one product: `Update nginx 1.18.0 to nginx 1.30 or newer`."""
    shown, package, table = one.shown, one.shown.package, case.table
    of_distribution = package is not None and package.distribution != WINDOWS and package.release is not None
    name = package.distribution if package and of_distribution else shown.product
    part = None if of_distribution else table.part_of.get(name)
    goal = _goal(part.product if part else name, table, case.now)
    version = f"{_named(shown.product)} {shown.version}" if shown.version else _named(shown.product)
    if one.support.behind and (newest := _newest(shown, table)):
        return f"Update {version} to {_named(shown.product)} {newest} or newer."
    if goal is None:
        return f"Update {version} to a release that is maintained."
    if of_distribution or part:
        return f"Update what {version} is part of, to {goal}."
    return f"Update {version} to {goal}."


def _newest(shown: Shown, table: SupportTable) -> str | None:
    """The newest known version of the series."""
    product = table.products[shown.product]
    return product.newest.get(product.cycle(shown.version or "") or "")


def _goal(name: str, table: SupportTable, now: Time) -> str | None:
    """The oldest maintained release if all newer ones are maintained too; else all maintained ones, newest first."""
    product = table.products.get(name)
    ordered = sorted(product.releases, key=_numbers, reverse=True) if product else []
    kept = [cycle for cycle in ordered if product and series_support(product, cycle, now).maintained]
    if not kept:
        return None
    if kept == ordered[: len(kept)]:
        return f"{_named(name)} {kept[-1]} or newer"
    several = kept[:MOST_NAMED]
    return f"{_named(name)} {', '.join(several[:-1])}{' or ' if several[:-1] else ''}{several[-1]}"


def _numbers(cycle: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", cycle)]


def _named(product: str) -> str:
    return _NAMES.get(product, product[:1].upper() + product[1:])
