"""The shipped table, and files in the format of endoflife.date's API that replace it."""

import json
import os
import re
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.software.fields import read_fields
from exporter.software.files import SHIPPED, load_table, read_products, shipped_table
from exporter.software.support import support
from tests.support.targets import NOW

V0 = [
    {"cycle": "1.30", "releaseDate": "2026-04-14", "eol": False, "latest": "1.30.4", "lts": False},
    {"cycle": "1.28", "releaseDate": "2025-04-23", "eol": "2026-04-14", "latest": "1.28.3"},
    {"cycle": 1.26, "eol": True},
]


def product(name: str, *releases: dict[str, object]) -> dict[str, object]:
    return {"name": name, "label": name.title(), "releases": list(releases)}


def release(
    name: str, *, ended: bool = False, end: str | None = None, extended: str | None = None
) -> dict[str, object]:
    return {"name": name, "isEol": ended, "eolFrom": end, "eoesFrom": extended, "isLts": False}


NGINX = product("nginx", release("1.30"), release("1.28", ended=True, end="2026-04-14"), release("1.26", ended=True))
ENDS = {"1.30": False, "1.28": date(2026, 4, 14), "1.26": True}
STAMP = "2026-11-01T03:04:05Z"


def write(folder: Path, name: str, content: object) -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_the_shipped_table_has_its_products_with_date_source_and_licence() -> None:
    table = shipped_table()
    assert table.as_of == datetime(2026, 8, 22, tzinfo=UTC)
    wanted = "nginx apache-http-server haproxy caddy traefik tomcat envoy eclipse-jetty squid php postfix exim dovecot"
    assert {*wanted.split(), "windows-server", "openssl", "mysql", "mariadb", "debian", "ubuntu", "rhel"} <= set(
        table.products
    )
    text = SHIPPED.read_text(encoding="utf-8")
    assert "license: MIT\n" in text
    assert "endoflife.date (MIT license)" in text
    assert len(re.findall(r"^    source: https://", text, re.MULTILINE)) == len(table.products)


def test_what_the_shipped_table_refers_to_is_in_it() -> None:
    table = shipped_table()
    for product in table.products.values():
        for carried in product.carried:
            assert carried.release in table.products[carried.distribution].releases
            assert product.cycle(carried.version), carried
    for part in table.part_of.values():
        assert {one for those in part.releases.values() for one in those} <= set(table.products[part.product].releases)


def test_the_shipped_file_is_part_of_the_package() -> None:
    assert (files("exporter") / "data" / "server-eol.yaml").is_file()


def test_a_product_of_version_0_goes_by_the_name_and_the_age_of_its_file(tmp_path: Path) -> None:
    file = write(tmp_path, "nginx.json", V0)
    os.utime(file, (1_790_000_000, 1_790_000_000))
    found = read_products(file)
    assert {name: dict(one.releases) for name, one in found.items()} == {"nginx": ENDS}
    assert found["nginx"].as_of == datetime.fromtimestamp(1_790_000_000, UTC)


def test_a_product_of_version_1_has_name_and_age_in_it(tmp_path: Path) -> None:
    file = write(tmp_path, "x.json", {"schema_version": "1.2.0", "generated_at": STAMP, "result": NGINX})
    (found,) = read_products(file).items()
    assert (found[0], dict(found[1].releases)) == ("nginx", ENDS)
    assert found[1].as_of == datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)


def test_all_products_of_version_1_bring_those_that_are_recognised(tmp_path: Path) -> None:
    others = [product("php", release("8.4", end="2028-12-31")), product("iphone", release("17"))]
    file = write(tmp_path, "full.json", {"schema_version": "1.2.0", "total": 3, "result": [NGINX, *others]})
    assert set(read_products(file)) == {"nginx", "php"}


def test_a_product_that_we_call_otherwise_is_recognised(tmp_path: Path) -> None:
    file = write(tmp_path, "alpine-linux.json", [{"cycle": "3.22", "eol": "2027-05-01"}])
    assert {name: dict(one.releases) for name, one in read_products(file).items()} == {
        "alpine": {"3.22": date(2027, 5, 1)}
    }


def test_of_debian_the_long_term_support_counts_and_of_others_what_is_sold_does_not(tmp_path: Path) -> None:
    one = release("12", end="2026-06-10", extended="2028-06-30")
    file = write(tmp_path, "full.json", {"result": [product("debian", one), product("ubuntu", one)]})
    found = read_products(file)
    assert found["debian"].releases["12"] == date(2028, 6, 30)
    assert found["ubuntu"].releases["12"] == date(2026, 6, 10)


@pytest.mark.parametrize(
    "content",
    [
        [{"cycle": "2.4", "releaseDate": "2012-02-21", "eol": False, "latest": "2.4.70"}],
        {
            "generated_at": STAMP,
            "result": product(
                "apache-http-server",
                release("2.4") | {"releaseDate": "2012-02-21", "latest": {"name": "2.4.70", "date": "2026-10-01"}},
            ),
        },
    ],
    ids=["v0", "v1"],
)
def test_a_file_brings_the_newest_version_and_the_shipped_table_who_carries_older_ones(
    tmp_path: Path, content: object
) -> None:
    table = load_table([str(write(tmp_path, "apache-http-server.json", content))])
    assert table.products["apache-http-server"].since == {"2.4": date(2012, 2, 21)}
    verdicts = {"2.4.70": True, "2.4.68": None, "2.4.58": None, "2.4.49": False}
    for version, maintained in verdicts.items():
        (shown,) = read_fields([("server", f"Apache/{version}")])
        assert support(shown, table, NOW).maintained is maintained, version


def test_varnish_is_recognised_by_its_new_name(tmp_path: Path) -> None:
    file = write(tmp_path, "vinyl-cache.json", [{"cycle": "9.0", "eol": "2027-03-16", "latest": None}])
    assert dict(read_products(file)["varnish"].releases) == {"9.0": date(2027, 3, 16)}


def test_a_file_takes_the_place_of_its_product_and_of_nothing_else(tmp_path: Path) -> None:
    later = write(tmp_path, "nginx.json", [{"cycle": "1.22", "eol": "2040-01-01"}])
    table = load_table([str(write(tmp_path, "a.json", {"result": NGINX})), str(later)])
    assert dict(table.products["nginx"].releases) == {"1.22": date(2040, 1, 1)}
    assert table.products["nginx"].carried == shipped_table().products["nginx"].carried
    assert table.products["php"] == shipped_table().products["php"]
    (shown,) = read_fields([("server", "nginx/1.22.7")])
    assert support(shown, shipped_table(), NOW).maintained is False
    assert support(shown, table, NOW).maintained is True


def test_the_age_of_the_table_is_that_of_its_oldest_part(tmp_path: Path) -> None:
    newer = {"generated_at": STAMP, "result": NGINX}
    assert load_table([str(write(tmp_path, "n.json", newer))]).as_of == shipped_table().as_of
    everything = [product(name, release("1")) for name in shipped_table().products]
    whole = write(tmp_path, "full.json", {"generated_at": STAMP, "result": everything})
    assert load_table([str(whole)]).as_of == datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)
    older = write(tmp_path, "o.json", newer | {"generated_at": "2020-01-01T00:00:00"})
    assert load_table([str(whole), str(older)]).as_of == datetime(2020, 1, 1, tzinfo=UTC)


def test_without_files_it_is_the_shipped_one() -> None:
    assert load_table() == shipped_table()


BAD: list[tuple[str, str, str]] = [
    ("nginx.json", "", "1:1: not valid JSON: Expecting value"),
    ("nginx.json", '[\n  {"cycle": }', "2:13: not valid JSON: Expecting value"),
    ("nginx.json", "[" * 100_000, "1:1: not valid JSON: nested too deep, or a number is too long"),
    ("nginx.json", "9" * 5_000, "1:1: not valid JSON: nested too deep, or a number is too long"),
    ("nginx.json", "3", "1:1: the file is not a mapping"),
    ("nginx.json", "{}", "1:1: result: is required"),
    ("nginx.json", '[\n {"cycle": "1"}]', "2:2: 0.eol: is required"),
    (
        *("nginx.json", '[{"cycle": "1", "eol": false},\n {"cycle": "2", "eol": "soon"}]'),
        "2:24: 1.eol: 'soon' is neither a date such as 2026-11-22 nor true or false",
    ),
    ("nginx.json", '["1"]', "1:2: 0: is not a mapping"),
    ("x.json", '{"result": {"name": "nginx"}}', "1:12: result.releases: is required"),
    (
        "x.json",
        '{"result": {"name": "nginx", "releases": [{"name": "1"}]}}',
        "1:43: result.releases.0.isEol: is required",
    ),
    ("x.json", '{"result": []}', "1:1: is about '', which is not a known product"),
    ("ngnix.json", "[]", "1:1: is about 'ngnix', which is not a known product; did you mean nginx?"),
    (
        "x.json",
        '{"result": {"name": "iphone", "releases": []}}',
        "1:1: is about 'iphone', which is not a known product",
    ),
]


@pytest.mark.parametrize(("name", "text", "told"), BAD, ids=[text[:40] for _, text, _ in BAD])
def test_a_bad_file_is_refused_with_the_place_and_the_reason(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_products(write(tmp_path, name, text))
    assert str(raised.value.problems[0]).startswith(f"{tmp_path}/{name}:{told}")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'["\xe9"]')
    for file, told in ((tmp_path / "none.json", "cannot be read: No such file"), (tmp_path / "latin", "is not UTF-8")):
        with pytest.raises(ConfigError, match=told):
            read_products(file)
