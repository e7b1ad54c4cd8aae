"""The verdict on one product, by a table of releases at one moment."""

from datetime import UTC, date, datetime, timedelta

import pytest

from exporter.software.files import shipped_table
from exporter.software.packages import OTHER, comment_mark, name_mark, version_mark
from exporter.software.shown import Package, Shown
from exporter.software.support import OPEN_END_HOLDS, Carried, PartOf, Product, SupportTable, covers, support

AS_OF = datetime(2026, 8, 22, tzinfo=UTC)
NOON = timedelta(hours=12)
TABLE = SupportTable(
    products={
        "web": Product(
            AS_OF,
            {"2.4": False, "2.2": date(2017, 7, 11), "2": True, "1.24": date(2030, 1, 1), "1.2": True},
            (Carried("2.2.9", "debian", "12"), Carried("2.2.9", "nobody", "1")),
        ),
        "debian": Product(AS_OF, {"12": date(2028, 6, 30), "11": date(2026, 8, 31), "10": date(2024, 6, 30)}),
        "windows": Product(AS_OF, {"2012": date(2023, 10, 10), "2016": date(2027, 1, 12), "2025": date(2034, 11, 14)}),
    },
    part_of={
        "iis": PartOf("windows", {"8.0": ("2012",), "10.0": ("2025", "2016"), "9": ("2012", "2016"), "7": ("2008",)}),
        "other": PartOf("nothing", {"1": ("1",)}),
    },
)


def shown(version: str | None, product: str = "web", package: Package | None = None) -> Shown:
    return Shown(product, version, "server", package)


@pytest.mark.parametrize(
    ("cycle", "version", "expected"),
    [
        ("2.4", "2.4", True),
        ("2.4", "2.4.57", True),
        ("2.4", "2.45", False),
        ("2.4", "2", False),
        ("1.2", "1.24.0", False),
        ("1.1.1", "1.1.1k", True),
        ("1.1.1", "1.1.10", False),
        ("2", "2.7.6", True),
        ("8.2", "8.2.7-1~deb12u1", True),
        ("2.4", "12.4", False),
        ("2.4", "2x4", False),
    ],
)
def test_a_version_is_of_the_cycle_that_its_numbers_begin_with(cycle: str, version: str, expected: bool) -> None:
    assert covers(cycle, version) is expected


def test_the_longest_cycle_counts() -> None:
    assert TABLE.products["web"].cycle("2.4.57") == "2.4"
    assert TABLE.products["web"].cycle("2.3.1") == "2"
    assert TABLE.products["web"].cycle("3.0") is None


@pytest.mark.parametrize(
    ("version", "now", "maintained", "ends"),
    [
        ("2.4.57", AS_OF, True, None),
        ("2.4.57", AS_OF + OPEN_END_HOLDS, True, None),
        ("2.4.57", AS_OF + OPEN_END_HOLDS + NOON, None, None),
        ("1.24.0", AS_OF, True, datetime(2030, 1, 2, tzinfo=UTC)),
        ("1.24.0", datetime(2030, 1, 1, 23, 59, 59, tzinfo=UTC), True, datetime(2030, 1, 2, tzinfo=UTC)),
        ("1.24.0", datetime(2030, 1, 2, tzinfo=UTC), False, datetime(2030, 1, 2, tzinfo=UTC)),
        ("2.2.22", AS_OF, False, datetime(2017, 7, 12, tzinfo=UTC)),
        ("1.2.1", AS_OF, False, None),
        ("3.0", AS_OF, None, None),
        (None, AS_OF, None, None),
    ],
)
def test_a_product_is_maintained_through_the_last_day_of_its_cycle(
    version: str | None, now: datetime, maintained: bool | None, ends: datetime | None
) -> None:
    found = support(shown(version), TABLE, now)
    assert (found.maintained, found.ends) == (maintained, ends)


def test_a_version_that_a_distribution_still_mends_is_no_verdict_until_that_has_ended() -> None:
    assert support(shown("2.2.9"), TABLE, AS_OF).maintained is None
    assert support(shown("2.2.9"), TABLE, datetime(2028, 6, 30, 23, tzinfo=UTC)).maintained is None
    assert support(shown("2.2.9"), TABLE, datetime(2028, 7, 1, tzinfo=UTC)).maintained is False
    assert support(shown("2.2.9", package=Package("windows")), TABLE, AS_OF).maintained is False, "not of Debian"


@pytest.mark.parametrize(
    ("package", "maintained", "ends"),
    [
        (Package("debian"), None, None),
        (Package("debian", "12"), None, datetime(2028, 7, 1, tzinfo=UTC)),
        (Package("debian", "10"), False, datetime(2024, 7, 1, tzinfo=UTC)),
        (Package("debian", "99"), None, None),
        (Package("fedora"), None, None),
        (Package(OTHER), None, None),
    ],
)
@pytest.mark.parametrize("version", ["2.4.57", "2.2.22", "3.0"])
def test_a_package_is_judged_by_its_distribution_alone(
    version: str, package: Package, maintained: bool | None, ends: datetime | None
) -> None:
    found = support(shown(version, package=package), TABLE, AS_OF)
    assert (found.maintained, found.ends) == (maintained, ends)


@pytest.mark.parametrize(
    ("product", "version", "now", "maintained", "ends"),
    [
        ("iis", "8.0", AS_OF, False, datetime(2023, 10, 11, tzinfo=UTC)),
        ("iis", "10.0", AS_OF, True, datetime(2027, 1, 13, tzinfo=UTC)),
        ("iis", "10.0", datetime(2028, 1, 1, tzinfo=UTC), None, None),
        ("iis", "10.0", datetime(2035, 1, 1, tzinfo=UTC), False, datetime(2034, 11, 15, tzinfo=UTC)),
        ("iis", "9", AS_OF, None, None),
        ("iis", "7", AS_OF, None, None),
        ("iis", "5", AS_OF, None, None),
        ("other", "1", AS_OF, None, None),
    ],
)
def test_what_is_part_of_another_product_is_maintained_as_all_that_it_may_be_part_of(
    product: str, version: str, now: datetime, maintained: bool | None, ends: datetime | None
) -> None:
    found = support(shown(version, product), TABLE, now)
    assert (found.maintained, found.ends) == (maintained, ends)


def test_what_has_no_version_or_no_releases_leaves_nothing_open() -> None:
    assert not support(shown(None), TABLE, AS_OF).judged
    assert not support(shown("1", "gws"), TABLE, AS_OF).judged
    assert not support(shown("1", "gws", Package("debian")), TABLE, AS_OF).judged
    assert support(shown("1", "gws", Package("debian", "10")), TABLE, AS_OF).judged
    assert support(shown("3.0"), TABLE, AS_OF).judged


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("8.0.36-0ubuntu0.22.04.1", Package("ubuntu", "22.04")),
        ("8.0.30-1+ubuntu20.04.1+deb.sury.org+1", Package("ubuntu", "20.04")),
        ("11.4.2-MariaDB-ubu2404", Package("ubuntu", "24.04")),
        ("7.4.3-4ubuntu2.18", Package("ubuntu")),
        ("5.3.2-1ubuntu4.30", Package("ubuntu")),
        ("10.11.6-MariaDB-0+deb12u1", Package("debian", "12")),
        ("8.2.7-1~deb12u1", Package("debian", "12")),
        ("5.3.3-7+squeeze19", Package("debian", "6")),
        ("1.14.2-2+deb10u5~bpo9+1", Package("debian", "10")),
        ("2.4.6-90.el7.centos", Package("rhel", "7")),
        ("2.4.37-56.module+el8.8.0", Package("rhel", "8")),
        ("2.4.62-1.amzn2", Package("amazon-linux", "2")),
        ("5.5.38.fc19", Package("fedora", "19")),
        ("2.4.62-1.fc41", Package("fedora", "41")),
        ("1.24.0-r7", Package("alpine")),
        ("1.3.33-1", Package(OTHER)),
        ("1.1.1k", None),
        ("1.0.2k-fips", None),
        ("2.4.57", None),
        ("9.4.43.v20210629", None),
        ("1.18.0", None),
    ],
)
def test_a_version_may_say_whose_package_it_is(version: str, expected: Package | None) -> None:
    assert version_mark(version) == expected


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("Debian", Package("debian")),
        ("Debian/GNU", Package("debian")),
        ("Debian GNU/Linux 12", Package("debian", "12")),
        ("Ubuntu", Package("ubuntu")),
        ("Ubuntu 18.04", Package("ubuntu", "18.04")),
        ("Red Hat", Package("rhel")),
        ("Red Hat Enterprise Linux", Package("rhel")),
        ("CentOS Stream", Package("rhel")),
        ("Rocky Linux", Package("rhel")),
        ("AlmaLinux", Package("rhel")),
        ("el7", Package("rhel", "7")),
        ("Ubuntu 18.04.6 LTS", Package("ubuntu", "18.04")),
        ("deb10-web.example.com", Package("debian")),
        ("web.deb10.example.com", Package("debian")),
        ("el6.example.com", Package("rhel")),
        ("debian10.example.com", Package("debian")),
        ("Fedora Linux", Package("fedora")),
        ("Linux/SUSE", Package("suse")),
        ("Amazon Linux", Package("amazon-linux")),
        ("Alpine", Package("alpine")),
        ("FreeBSD", Package("freebsd")),
        ("Gentoo", Package(OTHER)),
        ("cPanel", Package(OTHER)),
        ("Win64", Package("windows")),
        ("Unix", None),
        ("Darwin", None),
        ("a noble server", None),
        ("", None),
    ],
)
def test_a_comment_may_say_whose_package_it_is(comment: str, expected: Package | None) -> None:
    assert comment_mark(comment) == expected


def test_free_text_never_tells_a_release() -> None:
    assert name_mark("Server (deb10.example.com +deb10u1)") == Package("debian")
    assert name_mark("ready") is None


def test_of_the_shipped_distributions_ends_the_free_ones_count() -> None:
    """Debian LTS and not ELTS, Ubuntu's standard support and not ESM, RHEL's maintenance and not ELS."""
    releases = {name: shipped_table().products[name].releases for name in ("debian", "ubuntu", "rhel")}
    assert releases["debian"]["12"] == date(2028, 6, 30)
    assert releases["ubuntu"]["18.04"] == date(2023, 5, 31)
    assert releases["rhel"]["7"] == date(2024, 6, 30)
