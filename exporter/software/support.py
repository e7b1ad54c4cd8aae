"""Until when releases are maintained, and what that means for a product that a server shows.

A version is maintained under two conditions: its release series (`2.4`, `1.28`) is maintained, and it is not older than
the newest version of the series when the table was made. An older version lacks fixes, unless a distribution backports
them.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

from exporter.moments import Time
from exporter.software.declared import CONFIGURATION
from exporter.software.fields import VIA
from exporter.software.packages import AMAZON, DEBIAN, OTHER, RHEL, UBUNTU, WINDOWS
from exporter.software.shown import Package, Shown
from exporter.software.versions import Age, age, covers

End = date | bool
"""The last day of support; if that is unknown, whether support has ended."""

OPEN_END_HOLDS = timedelta(days=365)
"""After this time, what was open when the table was made (an end, the newest version) counts as unknown."""
_LIVES = 5
"""Number of latest series whose lifetimes predict that of the next one, since projects change their habits."""
_OUTLIVED = 10
"""A series that has outlived the shortest of these lifetimes is assumed to go on for a tenth of it. That is a guess, so
it is short."""


_TITLES = {
    DEBIAN: "Debian",
    UBUNTU: "Ubuntu",
    RHEL: "RHEL",
    AMAZON: "Amazon Linux",
    "fedora": "Fedora",
    "suse": "SUSE",
    "alpine": "Alpine",
    "freebsd": "FreeBSD",
    OTHER: "another distributor",
}


@dataclass(frozen=True, slots=True)
class Carried:
    """A version that a release of a distribution maintains under its number.

    Attributes:
        follows: the release also updates to newer versions of the same series.
    """

    version: str
    distribution: str
    release: str
    follows: bool = False

    def may_be(self, version: str, product: "Product") -> bool:
        """Whether the package may show this version, which may be cut (Varnish shows 7.1 of 7.1.1)."""
        same = covers(self.version, version) or covers(version, self.version)
        in_series = product.cycle(version) == product.cycle(self.version)
        return same or (self.follows and in_series and age(version, self.version) is Age.NEWER)


@dataclass(frozen=True, slots=True)
class Product:
    """The releases of one product.

    Attributes:
        as_of: the date of this information.
        releases: cycle -> its end.
        carried: versions that distributions maintain.
        carriers_known: cycles for which `carried` is complete, so nobody maintains an old version that is not in it.
        since: cycle -> the day of its first version, if known.
        newest: cycle -> its newest version on `as_of`, if known.
    """

    as_of: datetime
    releases: Mapping[str, End]
    carried: tuple[Carried, ...] = ()
    carriers_known: frozenset[str] = frozenset()
    since: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    newest: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def cycle(self, version: str) -> str | None:
        """The cycle of a version: the longest one that it starts with. 2.4.57 starts with 2.4, 2.45 does not."""
        return max((cycle for cycle in self.releases if covers(cycle, version)), key=len, default=None)

    def open_until(self, cycle: str) -> datetime:
        """Until when "no end is announced" is believed for this cycle.

        Until it is as old as the shortest-lived of the last few series was, and at most for a year.
        """
        ended = {one: end for one, end in self.releases.items() if not isinstance(end, bool) and one in self.since}
        last = sorted(ended, key=lambda one: ended[one], reverse=True)[:_LIVES]
        if not last or cycle not in self.since:
            return self.as_of + OPEN_END_HOLDS
        shortest = min(ended[one] - self.since[one] for one in last)
        usual = datetime.combine(self.since[cycle] + shortest, time(), UTC)
        return min(self.as_of + OPEN_END_HOLDS, max(usual, self.as_of + shortest / _OUTLIVED))


@dataclass(frozen=True, slots=True)
class PartOf:
    """A product that is maintained as part of another one: its versions -> the releases that contain them."""

    product: str
    releases: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SupportTable:
    """What is known about releases. Distributions are products too."""

    products: Mapping[str, Product]
    part_of: Mapping[str, PartOf] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def as_of(self) -> datetime:
        """The date of its oldest part."""
        return min(product.as_of for product in self.products.values())


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a product is maintained.

    Attributes:
        maintained: None if that is unknown.
        ends: the time at which support ends or ended; None if unknown.
        why: for people; completes a sentence that starts with the product's name.
        judged: there is something to judge: a version of a product whose releases are known.
        behind: it is not maintained although its series is, because it is an old version.
    """

    maintained: bool | None
    why: str
    ends: datetime | None = None
    judged: bool = True
    behind: bool = False


def support(shown: Shown, table: SupportTable, now: Time, declared: Package | None = None) -> Support:
    """The verdict on one product. A package is judged by its distribution, others by the product's own releases.

    The distribution that the operator declares (`declared`) counts, unless what is shown contradicts it.
    """
    if declared is not None and (found := _of_declared(shown, declared, table, now)) is not None:
        return found
    if shown.version is None:
        return Support(None, "does not show its version", judged=False)
    part, product = table.part_of.get(shown.product), table.products.get(shown.product)
    if shown.package is not None and shown.package.distribution != WINDOWS:
        found = _of_package(shown.package, table, now)
        return found if part or product or found.maintained is False else replace(found, judged=False)
    if part is not None:
        return _of_part(part, shown.version, table, now)
    if product is None:
        return Support(None, "is a product whose releases are not known", judged=False)
    found = _of_release(product, shown.version, now, packaged=shown.package is None)
    if shown.package is not None or found.maintained is not False:
        return found
    if carrier := _carrier(product, shown.version, table, now):
        return Support(None, f"may be the version that {carrier} still maintains; it {found.why}")
    return replace(found, why=f"{found.why}, and no supported distribution carries it") if found.behind else found


def series_support(product: Product, cycle: str, now: Time) -> Support:
    """The verdict on a release series, or on a distribution's release.

    Raises:
        KeyError: the product has no such release.
    """
    return _by_end(product, cycle, now)


def _end(end: date) -> datetime:
    """The start of the day after the last day, because no source names an hour."""
    return datetime.combine(end + timedelta(days=1), time(), UTC)


def _by_end(product: Product, cycle: str, now: Time) -> Support:
    end = product.releases[cycle]
    if end is True:
        return Support(False, f"belongs to release {cycle}, which is not supported any more")
    if end is False:
        if now > product.open_until(cycle):
            return Support(
                None,
                f"belongs to release {cycle}, which was supported on {product.as_of:%Y-%m-%d}; that is too long ago",
            )
        return Support(True, f"belongs to release {cycle}, which is supported")
    ends = _end(end)
    verb = "ended" if now >= ends else "ends"
    return Support(now < ends, f"belongs to release {cycle}, whose support {verb} on {end:%Y-%m-%d}", ends)


def _of_package(package: Package, table: SupportTable, now: Time) -> Support:
    """A distribution fixes old versions under their old number, until the end of the distribution's release."""
    product = table.products.get(package.distribution)
    if package.release is not None and product is not None and package.release in product.releases:
        found = _by_end(product, package.release, now)
        named = f"is a package of {_TITLES[package.distribution]} {package.release}"
        if found.maintained is False:
            return Support(False, f"{named}, which is not supported any more", found.ends)
        return Support(None, f"{named}, which may fix it under its old version number", found.ends)
    return Support(
        None, f"is a package of {_TITLES[package.distribution]}, which may fix it under its old version number"
    )


def _of_declared(shown: Shown, declared: Package, table: SupportTable, now: Time) -> Support | None:
    """A package is maintained until the end of its distribution's release; None if it is not such a package."""
    product = table.products.get(shown.product)
    if product is None or shown.source == VIA:
        return None  # not packaged by distributions, or running elsewhere
    if shown.package is not None and (
        shown.package.distribution != declared.distribution or shown.package.release not in {None, declared.release}
    ):
        return None
    named = f"is a package of {_TITLES[declared.distribution]} {declared.release}, as configured"
    distribution = table.products.get(declared.distribution)
    if distribution is None or declared.release is None or declared.release not in distribution.releases:
        return Support(None, f"{named}, whose end of support is not known")
    found = _by_end(distribution, declared.release, now)
    if shown.version is not None and shown.source != CONFIGURATION:
        carried = [one for one in product.carried if (one.distribution, one.release) == astuple(declared)]
        if not any(one.may_be(shown.version, product) for one in carried):
            doubtful = found.maintained and not _of_release(product, shown.version, now).maintained
            if shown.package is None or doubtful:
                return None  # built by someone else, or not the version of that release
    return replace(found, why=f"{named}, and {found.why}")


def _of_part(part: PartOf, version: str, table: SupportTable, now: Time) -> Support:
    """Ended if all releases that may contain it have ended, maintained if none has."""
    product = table.products.get(part.product)
    key = next((one for one in part.releases if covers(one, version)), None)
    if product is None or key is None or not set(part.releases[key]) <= product.releases.keys():
        return Support(None, f"is not known to be part of a release of {part.product}")
    found = [_by_end(product, release, now) for release in part.releases[key]]
    verdicts = {one.maintained for one in found}
    names = (
        f"{part.product} {' or '.join(part.releases[key])}" if len(found) < 4 else f"many releases of {part.product}"
    )
    if len(verdicts) > 1 or None in verdicts:
        return Support(None, f"is part of {names}, not all of which are supported")
    known = [one.ends for one in found if one.ends is not None]
    ends = None if len(known) < len(found) else max(known) if False in verdicts else min(known)
    state = "which is supported" if True in verdicts else "which is not supported any more"
    return Support(True in verdicts, f"is part of {names}, {state}", ends)


def _of_release(product: Product, version: str, now: Time, *, packaged: bool = True) -> Support:
    """The verdict by the end of its series and, if that is maintained, by the version's age within it.

    If it is certainly not a package of a distribution (`packaged` is false), nobody maintains an old version.
    """
    cycle = product.cycle(version)
    if cycle is None:
        return Support(None, "belongs to a release that is not known")
    found = _by_end(product, cycle, now)
    newest = product.newest.get(cycle)
    if not found.maintained or newest is None:
        return found
    why = f"belongs to release {cycle}, whose newest version was {newest} on {product.as_of:%Y-%m-%d}"
    match age(version, newest):
        case Age.NEWER | Age.SAME if now <= product.as_of + OPEN_END_HOLDS:
            return found
        case Age.NEWER | Age.SAME:
            return replace(found, maintained=None, why=f"{why}; that is too long ago")
        case Age.OLDER if cycle in product.carriers_known or not packaged:
            return replace(found, maintained=False, why=why, behind=True)
        case Age.OLDER:
            return replace(found, maintained=None, why=f"{why}; a distribution may have fixed it")
        case Age.UNKNOWN:
            return replace(found, maintained=None, why=f"{why}; it is not known whether it is older")


def _carrier(product: Product, version: str, table: SupportTable, now: Time) -> str | None:
    """A supported release of a distribution whose package shows this version without a mark."""
    for one in product.carried:
        distribution = table.products.get(one.distribution)
        if distribution is None or one.release not in distribution.releases or not one.may_be(version, product):
            continue
        if _by_end(distribution, one.release, now).maintained is not False:
            return f"{_TITLES[one.distribution]} {one.release}"
    return None
