"""`/certificates`: each certificate once, with the targets that present it."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.model import Facts
from tests.support.facts import deployment
from tests.support.known_fleet import FleetApi
from tests.support.targets import NOW, make_target
from tests.web.pages.reading import on, source, words

HOSTILE = '"><script>alert(1)</script>\u202e'
THREE = tuple(make_target(name=name, labels={"team": name}) for name in ("a", "b", "c"))
RSA = {"fingerprint_sha256": "11" * 32, "key_algorithm": "RSA", "key_size_bits": 2048, "curve": None}


def presenting(*certificates: dict[str, Any]) -> Facts:
    return Facts().with_part(CertificateFacts(tuple(deployment(**one) for one in certificates)), NOW)


async def fill(api: FleetApi) -> None:
    """`a` and `b` have one certificate together; `b` has another, which has ended; `c` has one of another issuer."""
    await api.fleet.saw("a", presenting({"issuer": "CN=One"}))
    ended = {"not_after": NOW - timedelta(days=2), "issuer": "CN=One"}
    await api.fleet.saw("b", presenting({"issuer": "CN=One"}, RSA | ended))
    later = {"not_after": NOW + timedelta(days=300), "issuer": "CN=Two, O=& Sons"}
    names = {"subject_alternative_names": tuple(f"DNS:{number}.c.example" for number in range(12))}
    await api.fleet.saw("c", presenting(RSA | {"fingerprint_sha256": "22" * 32} | later | names))


def rows(page: str) -> list[str]:
    """The rows of the list, as text."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in body.split("</tr>")[:-1]]


def test_without_certificates_it_says_so() -> None:
    async def steps(api: FleetApi) -> None:
        assert (await words(api, "/certificates")).endswith("No certificate is known yet.")

    on(THREE, steps)


def test_each_certificate_is_there_once_the_first_to_end_first() -> None:
    async def steps(api: FleetApi) -> None:
        await fill(api)
        first, second, third = rows(await source(api, "/certificates"))
        assert first.startswith("2026-11-20 12:00 ended 2 d ago 100 %")
        assert first.endswith("CN=One RSA 2048 ecdsa-with-SHA256 b")
        assert second.startswith("2026-12-30 23:59 in 38 d 58 % www.test.example abababababababab")
        assert second.endswith("CN=One EC P-256 ecdsa-with-SHA256 a , b")
        assert "0.c.example, 1.c.example" in third
        assert "9.c.example and 2 more" in third

    on(THREE, steps)


def test_the_overview_counts_by_end_issuer_and_key() -> None:
    async def steps(api: FleetApi) -> None:
        await fill(api)
        text = await words(api, "/certificates")
        assert "By end ended 1 within 7 days 1 within 30 days 1 within 90 days 2 all 3" in text
        assert "By issuer CN=One 2 CN=Two, O=& Sons 1 By key RSA 2048 2 EC P-256 1" in text

    on(THREE, steps)


@pytest.mark.parametrize(
    ("query", "fingerprints"),
    [
        ("", ["11", "ab", "22"]),
        ("sort=-end", ["22", "ab", "11"]),
        ("sort=lifetime", ["11", "ab", "22"]),
        ("sort=issuer", ["11", "ab", "22"]),
        ("sort=-key", ["22", "11", "ab"]),
        ("sort=targets", ["ab", "11", "22"]),
        ("issuer=CN%3DTwo%2C+O%3D%26+Sons", ["22"]),
        ("key=RSA+2048", ["11", "22"]),
        ("days=0", ["11"]),
        ("days=60", ["11", "ab"]),
        ("search=C.EXAMPLE", ["22"]),
        ("search=sons", ["22"]),
        (f"certificate={'ab' * 32}", ["ab"]),
        ("match[]={team=%22c%22}", ["22"]),
        ("signature=ecdsa-with-SHA256&days=", ["11", "ab", "22"]),
        ("signature=sha1WithRSAEncryption", []),
        ("page=2&limit=2", ["22"]),
        ("page=9", []),
    ],
)
def test_sorting_filters_and_pages(query: str, fingerprints: list[str]) -> None:
    async def steps(api: FleetApi) -> None:
        await fill(api)
        page = await source(api, f"/certificates?{query}")
        found = re.findall(r'class="code" href="certificates\?certificate=(..)', page)
        assert found == fingerprints

    on(THREE, steps)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("sort=colour", "sort"),
        ("page=0", "page"),
        ("page=x", "page"),
        ("limit=1001", "limit"),
        ("days=-1", "days"),
        ("certificate=ab", "certificate"),
        ("match[]=x{", "match[]"),
        ("colour=red", "colour"),
        (f"search={'x' * 1001}", "search"),
    ],
)
def test_wrong_parameters_are_refused_with_a_message(query: str, name: str) -> None:
    async def steps(api: FleetApi) -> None:
        assert f'Invalid parameter "{name}": ' in await words(api, f"/certificates?{query}", 400)

    on(THREE, steps)


def test_a_certificate_of_many_targets_leads_to_all_of_them() -> None:
    async def steps(api: FleetApi) -> None:
        for number in range(5):
            await api.fleet.saw(f"t{number}", presenting({}))
        (row,) = rows(await source(api, "/certificates"))
        assert row.endswith("t0 , t1 , t2 and 2 more")
        (row,) = rows(await source(api, f"/certificates?certificate={'ab' * 32}"))
        assert row.endswith("t0 , t1 , t2 , t3 , t4")
        assert f"{'ab' * 32} CN=www.test.example; valid since 2026-10-01 00:00" in row

    on([make_target(name=f"t{number}") for number in range(5)], steps)


def test_what_others_wrote_is_inert() -> None:
    async def steps(api: FleetApi) -> None:
        texts = dict.fromkeys(("subject", "issuer", "key_algorithm", "signature_algorithm"), HOSTILE)
        hostile = texts | {"curve": HOSTILE, "subject_alternative_names": (f"DNS:{HOSTILE}", HOSTILE * 100)}
        await api.fleet.saw(HOSTILE, presenting(hostile))
        page = await source(api, "/certificates")
        assert len(page) < 20_000
        for shown in (page, await source(api, f"/certificates?search={'%22%3E%3Cscript%3E'}")):
            assert "<script>alert" not in shown
            assert "\u202e" not in shown
        assert len(rows(page)) == 1

    on([make_target(name=HOSTILE)], steps)


def test_a_target_whose_certificate_is_too_old_to_count_is_not_listed() -> None:
    """What is not known is absent."""

    async def steps(api: FleetApi) -> None:
        await fill(api)
        api.fleet.later(days=30)
        for name in ("a", "b", "c"):
            api.fleet.publisher.judge_again(name)
        assert (await words(api, "/certificates")).endswith("No certificate is known yet.")

    on(THREE, steps)
