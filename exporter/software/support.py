"""Until when releases are maintained, and what follows for a product that a server shows.

A version is maintained if its release series (`2.4`, `1.28`) is and it is not older than the newest of the series when
the table was made. An older one lacks fixes, unless a distribution puts them into it.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

from exporter.software.declared import CONFIGURATION
from exporter.software.fields import VIA
from exporter.software.packages import AMAZON, DEBIAN, OTHER, RHEL, UBUNTU, WINDOWS
from exporter.software.shown import Package, Shown
from exporter.software.versions import Age, age, covers

End = date | bool
"""The last day of support; where none is known, whether it has ended."""

OPEN_END_HOLDS = timedelta(days=365)
"""After so long, what was open when the table was made (an end, the newest version) is not known any more."""
_LIVES = 5
"""Series whose lifetimes tell how long the next one lasts: the last ones, as projects change their habits."""
_OUTLIVED = 10
"""A series that is older than any of these got goes on for a tenth of the shortest: that is a guess, thus small."""


_TITLES = {
    DEBIAN: "Debian",
    UBUNTU: "Ubuntu",
    RHEL: "RHEL",
    AMAZON: "Amazon Linux",
    "fedora": "Fedora",
    "suse": "SUSE",
    "alpine": "Alpine",
    "freebsd": "FreeBSD",
    OTHER: "somebody else",
}


@dataclass(frozen=True, slots=True)
class Carried:
    """A version that a release of a distribution goes on mending under its number.

    Attributes:
        follows: the release also takes newer versions of the same series.
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
        as_of: when this was so.
        releases: cycle -> its end.
        carried: what distributions carry.
        carriers_known: cycles of which that is all, so an old version that is not there is maintained by nobody.
        since: cycle -> the day of its first version, where known.
        newest: cycle -> its newest version on `as_of`, where known.
    """

    as_of: datetime
    releases: Mapping[str, End]
    carried: tuple[Carried, ...] = ()
    carriers_known: frozenset[str] = frozenset()
    since: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    newest: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def cycle(self, version: str) -> str | None:
        """The cycle of a version: the longest that it begins with, as 2.4.57 does with 2.4 (and 2.45 does not)."""
        return max((cycle for cycle in self.releases if covers(cycle, version)), key=len, default=None)

    def open_until(self, cycle: str) -> datetime:
        """Until when "no end is announced" of this cycle is believed.

        Until it is as old as the shortest-lived of the last few series was, and not for more than a year.
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
    """A product that is maintained as part of another: its versions -> the releases of that one it comes with."""

    product: str
    releases: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SupportTable:
    """What is known of releases. Distributions are products too."""

    products: Mapping[str, Product]
    part_of: Mapping[str, PartOf] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def as_of(self) -> datetime:
        """The age of its oldest part."""
        return min(product.as_of for product in self.products.values())


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a product is maintained.

    Attributes:
        maintained: None when that is not known.
        ends: the moment at which support ends, or has; None when not known.
        why: for a person, in the words that go on from the product's name.
        judged: there is something to judge: a version, of a product whose releases are known.
        behind: it is not maintained though its series is, since it is an old version of that.
    """

    maintained: bool | None
    why: str
    ends: datetime | None = None
    judged: bool = True
    behind: bool = False


def support(shown: Shown, table: SupportTable, now: datetime, declared: Package | None = None) -> Support:
    """The verdict on one product. A package is judged by its distribution, and else by the product's own releases.

    The operator's word on whose package it is (`declared`) counts, save where what is shown speaks against it.
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
        return Support(None, "is no product of which releases are known", judged=False)
    found = _of_release(product, shown.version, now, packaged=shown.package is None)
    if shown.package is not None or found.maintained is not False:
        return found
    if carrier := _carrier(product, shown.version, table, now):
        return Support(None, f"may be the one that {carrier} still mends; it {found.why}")
    return replace(found, why=f"{found.why}, and no supported distribution carries it") if found.behind else found


def series_support(product: Product, cycle: str, now: datetime) -> Support:
    """The verdict on a release series, or on a distribution's release; raises KeyError if it is none of the product."""
    return _by_end(product, cycle, now)


def _end(end: date) -> datetime:
    """The last day counts whole: of the hour nobody says anything."""
    return datetime.combine(end + timedelta(days=1), time(), UTC)


def _by_end(product: Product, cycle: str, now: datetime) -> Support:
    end = product.releases[cycle]
    if end is True:
        return Support(False, f"is of {cycle}, which is not supported any more")
    if end is False:
        if now > product.open_until(cycle):
            return Support(
                None, f"is of {cycle}, which was supported on {product.as_of:%Y-%m-%d}; that is too long ago"
            )
        return Support(True, f"is of {cycle}, which is supported")
    ends = _end(end)
    verb = "ended" if now >= ends else "ends"
    return Support(now < ends, f"is of {cycle}, whose support {verb} on {end:%Y-%m-%d}", ends)


def _of_package(package: Package, table: SupportTable, now: datetime) -> Support:
    """Distributions mend old versions under their old number, until the release of the distribution has ended."""
    product = table.products.get(package.distribution)
    if package.release is not None and product is not None and package.release in product.releases:
        found = _by_end(product, package.release, now)
        named = f"is a package of {_TITLES[package.distribution]} {package.release}"
        if found.maintained is False:
            return Support(False, f"{named}, which is not supported any more", found.ends)
        return Support(None, f"{named}, which may mend it under its old number", found.ends)
    return Support(None, f"is a package of {_TITLES[package.distribution]}, which may mend it under its old number")


def _of_declared(shown: Shown, declared: Package, table: SupportTable, now: datetime) -> Support | None:
    """The end of the distribution's release is that of its package; None for what is not its package."""
    product = table.products.get(shown.product)
    if product is None or shown.source == VIA:
        return None  # not a program that distributions have, or one that runs elsewhere
    if shown.package is not None and (
        shown.package.distribution != declared.distribution or shown.package.release not in {None, declared.release}
    ):
        return None
    named = f"is a package of {_TITLES[declared.distribution]} {declared.release}, as configured"
    distribution = table.products.get(declared.distribution)
    if distribution is None or declared.release is None or declared.release not in distribution.releases:
        return Support(None, f"{named}, of which no end is known")
    found = _by_end(distribution, declared.release, now)
    if shown.version is not None and shown.source != CONFIGURATION:
        carried = [one for one in product.carried if (one.distribution, one.release) == astuple(declared)]
        if not any(one.may_be(shown.version, product) for one in carried):
            doubtful = found.maintained and not _of_release(product, shown.version, now).maintained
            if shown.package is None or doubtful:
                return None  # built by somebody else, or not what that release has
    return replace(found, why=f"{named}, and {found.why}")


def _of_part(part: PartOf, version: str, table: SupportTable, now: datetime) -> Support:
    """Ended when all that it may be part of have, maintained when none has."""
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


def _of_release(product: Product, version: str, now: datetime, *, packaged: bool = True) -> Support:
    """By the end of its series, and where that is maintained by how old the version is in it.

    Of what is surely no package of a distribution (`packaged` is false), an old version is maintained by nobody.
    """
    cycle = product.cycle(version)
    if cycle is None:
        return Support(None, "is of no release that is known")
    found = _by_end(product, cycle, now)
    newest = product.newest.get(cycle)
    if not found.maintained or newest is None:
        return found
    why = f"is of {cycle}, of which {newest} was the newest on {product.as_of:%Y-%m-%d}"
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
            return replace(found, maintained=None, why=f"{why}; whether it is older cannot be told")


def _carrier(product: Product, version: str, table: SupportTable, now: datetime) -> str | None:
    """A distribution's release that has not ended and whose package shows this version without a mark."""
    for one in product.carried:
        distribution = table.products.get(one.distribution)
        if distribution is None or one.release not in distribution.releases or not one.may_be(version, product):
            continue
        if _by_end(distribution, one.release, now).maintained is not False:
            return f"{_TITLES[one.distribution]} {one.release}"
    return None
