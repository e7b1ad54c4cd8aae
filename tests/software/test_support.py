"""The verdict on one product, from a table of releases at a given time."""

from datetime import UTC, date, datetime, timedelta

import pytest

from exporter.software.files import shipped_table
from exporter.software.packages import OTHER, comment_mark, name_mark, version_mark
from exporter.software.shown import Package, Shown
from exporter.software.support import OPEN_END_HOLDS, Carried, PartOf, Product, SupportTable, support
from exporter.software.versions import Age, age, covers

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


@pytest.mark.parametrize(
    ("version", "other", "expected"),
    [
        ("2.4.49", "2.4.68", Age.OLDER),
        ("2.4.68", "2.4.68", Age.SAME),
        ("2.4.100", "2.4.68", Age.NEWER),
        ("2.7", "2.11.4", Age.OLDER),
        ("2.4.68.1", "2.4.68", Age.NEWER),
        ("1.0.2k", "1.0.2u", Age.OLDER),
        ("1.0.2", "1.0.2u", Age.OLDER),
        ("0.9.8zh", "0.9.8z", Age.NEWER),
        ("9.4.43.v20210629", "9.4.58.v20250814", Age.OLDER),
        # The rest may not be shown.
        ("2.4", "2.4.68", Age.UNKNOWN),
        ("2.3.21", "2.3.21.1", Age.UNKNOWN),
        # Not written like a release.
        ("2.4.68-dev", "2.4.68", Age.UNKNOWN),
        ("11.0.0-M1", "11.0.25", Age.UNKNOWN),
    ],
)
def test_a_version_is_older_or_newer_than_another_where_that_can_be_told(
    version: str, other: str, expected: Age
) -> None:
    assert age(version, other) is expected


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


IN_SERIES = SupportTable(
    {
        "web": Product(
            AS_OF,
            {"2.4": False, "2.2": date(2017, 7, 11), "3.0": False},
            (
                Carried("2.4.57", "debian", "11"),
                Carried("2.4.41", "debian", "10"),
                Carried("2.4.62", "debian", "12", follows=True),
                Carried("2.2.9", "debian", "12"),
            ),
            frozenset({"2.4"}),
            newest={"2.4": "2.4.68", "3.0": "3.0.5"},
        ),
        "debian": TABLE.products["debian"],
    }
)


@pytest.mark.parametrize(
    ("version", "maintained", "behind"),
    [
        ("2.4.68", True, False),
        ("2.4.71", True, False),
        ("2.4.49", False, True),
        ("2.4.1", False, True),
        ("2.4.41", False, True),
        ("2.4.57", None, False),
        ("2.4.62", None, False),
        ("2.4.65", None, False),
        ("2.4", None, False),
        ("2.2", None, False),
        ("2.4.69-dev", None, False),
        ("2.2.1", False, False),
        ("3.0.5", True, False),
        ("3.0.1", None, False),
    ],
)
def test_an_old_version_is_maintained_only_where_a_distribution_may_carry_it(
    version: str, maintained: bool | None, behind: bool
) -> None:
    """41 is of a distribution that has ended, 62 and later may be what one has taken since; of 3.0 nobody knows.

    A version that is not shown to the end may be any of those.
    """
    found = support(shown(version), IN_SERIES, AS_OF)
    assert (found.maintained, found.behind) == (maintained, behind)


def test_what_is_no_package_is_maintained_by_its_makers_alone() -> None:
    for version, maintained in {"2.4.57": False, "2.4.65": False, "3.0.1": False, "2.4.68": True, "2.4": None}.items():
        assert support(shown(version, package=Package("windows")), IN_SERIES, AS_OF).maintained is maintained


def test_after_a_year_the_newest_version_of_a_table_says_nothing() -> None:
    product = Product(AS_OF, {"8.4": date(2028, 12, 31)}, newest={"8.4": "8.4.24"})
    table = SupportTable({"php": product})
    later = AS_OF + OPEN_END_HOLDS
    assert support(shown("8.4.24", "php"), table, later).maintained is True
    assert support(shown("8.4.24", "php"), table, later + NOON).maintained is None


@pytest.mark.parametrize(
    ("since", "lives", "until"),
    [
        # As old as the shortest-lived of its kind, of which only the last five count.
        (date(2026, 5, 1), [300, 320, 400, 350, 310, 7], date(2026, 5, 1) + timedelta(days=300)),
        # It has outlived them all.
        (date(2025, 1, 1), [100, 120], AS_OF.date() + timedelta(days=10)),
        # Never longer than a year.
        (date(2026, 8, 1), [4000], AS_OF.date() + OPEN_END_HOLDS),
        (date(2012, 2, 21), [4000], AS_OF.date() + OPEN_END_HOLDS),
        (date(2012, 2, 21), [], AS_OF.date() + OPEN_END_HOLDS),
    ],
)
def test_an_open_end_is_believed_as_long_as_series_of_the_product_usually_last(
    since: date, lives: list[int], until: date
) -> None:
    ends = {f"1.{number}": date(2026, 1, 1) - timedelta(days=400 * number) for number in range(len(lives))}
    begins = {cycle: end - timedelta(days=life) for (cycle, end), life in zip(ends.items(), lives, strict=True)}
    product = Product(AS_OF, {"2.0": False, **ends}, since={"2.0": since, **begins})
    assert product.open_until("2.0").date() == until


@pytest.mark.parametrize(
    ("product", "version", "maintained_on_day", "and_today"),
    [
        ("traefik", "3.7.11", True, None),
        ("caddy", "2.11.4", True, None),
        ("nginx", "1.30.4", True, True),
        ("apache-http-server", "2.4.68", True, True),
        ("postfix", "3.8.20", True, True),
        ("dovecot", "2.4.4", True, True),
        ("eclipse-jetty", "12.0.38", True, True),
        ("proftpd", "1.3.9d", True, True),
        ("squid", "7.6", True, True),
    ],
)
def test_of_series_that_last_months_the_shipped_table_says_nothing_after_some(
    product: str, version: str, maintained_on_day: bool, and_today: bool | None
) -> None:
    table = shipped_table()
    assert support(shown(version, product), table, AS_OF).maintained is maintained_on_day
    assert support(shown(version, product), table, datetime(2026, 11, 30, tzinfo=UTC)).maintained is and_today


def test_no_newest_version_of_the_shipped_table_fails_when_it_was_made() -> None:
    table = shipped_table()
    for name, product in table.products.items():
        for cycle, newest in product.newest.items():
            assert product.cycle(newest) == cycle, (name, cycle)
            found = support(shown(newest, name), table, AS_OF)
            assert not found.behind, (name, newest)
            if found.maintained is None:
                assert "may be the version that" in found.why, (name, newest)


def test_what_distributions_carry_fails_in_no_series_of_the_shipped_table() -> None:
    table = shipped_table()
    for name, product in table.products.items():
        for one in product.carried:
            if one.release not in {"10", "11"} or one.distribution != "debian":
                assert support(shown(one.version, name), table, AS_OF).maintained is not False, (name, one)
