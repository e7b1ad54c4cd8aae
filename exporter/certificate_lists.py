"""All certificates that targets present, each once: filtered, sorted, in pages."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from exporter.certificate_summaries import CertificateSummary
from exporter.summaries import Summary

ENDS_WITHIN_DAYS = (0, 7, 30, 90)
"""Of the overview; 0 is what has ended."""
_SLICE = 100


class CertificateSort(StrEnum):
    """What certificates are sorted by."""

    END = "end"
    LIFETIME = "lifetime"
    ISSUER = "issuer"
    KEY = "key"
    TARGETS = "targets"

    @property
    def most_first(self) -> bool:
        """Whether the greatest comes first, unless the order is reversed."""
        return self in {CertificateSort.LIFETIME, CertificateSort.TARGETS}


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate, and the names of the targets that present it, sorted."""

    certificate: CertificateSummary
    targets: Sequence[str]


@dataclass(frozen=True, slots=True)
class CertificateFilter:
    """Which certificates are in the list: those that meet every part that is given.

    Attributes:
        fingerprint: SHA-256, hexadecimal.
        issuer, key, signature: exactly these.
        days: they end within this number of days, or have ended.
        search: part of a subject, name, issuer, fingerprint, or name of a target; in any case.
    """

    fingerprint: str | None = None
    issuer: str | None = None
    key: str | None = None
    signature: str | None = None
    days: int | None = None
    search: str | None = None

    def matches(self, row: CertificateRow, now: datetime) -> bool:
        """Whether the certificate is in the list."""
        one = row.certificate
        pairs = (self.fingerprint, one.fingerprint), (self.issuer, one.issuer), (self.key, one.key)
        return (
            all(wanted is None or wanted == found for wanted, found in (*pairs, (self.signature, one.signature)))
            and (self.days is None or one.not_after <= now + timedelta(days=self.days))
            and (self.search is None or self._is_found(row, self.search.casefold()))
        )

    @staticmethod
    def _is_found(row: CertificateRow, text: str) -> bool:
        one = row.certificate
        texts = one.subject, one.issuer, one.fingerprint, *one.names, *row.targets
        return any(text in each.casefold() for each in texts)


@dataclass(frozen=True, slots=True)
class CertificatePage:
    """One page of the list.

    Attributes:
        found: the number of certificates in the list.
        total: without the filter; `by_end` (days to number), `by_issuer` and `by_key` (the most frequent first) too.
    """

    rows: Sequence[CertificateRow]
    found: int
    total: int
    by_end: Mapping[int, int]
    by_issuer: Sequence[tuple[str, int]]
    by_key: Sequence[tuple[str, int]]


async def _rows(summaries: AsyncIterable[Summary]) -> list[CertificateRow]:
    """Each certificate once. The order of addresses does not matter."""
    targets: dict[CertificateSummary, dict[str, None]] = {}
    async for summary in summaries:
        for address in summary.addresses:
            for one in address.certificates:
                targets.setdefault(one, {})[summary.target.name] = None
    return [CertificateRow(one, tuple(names)) for one, names in targets.items()]


def _sort_key(sort: CertificateSort, now: datetime) -> Callable[[CertificateRow], Any]:
    own: Mapping[CertificateSort, Callable[[CertificateRow], Any]] = {
        CertificateSort.END: lambda row: row.certificate.not_after,
        CertificateSort.LIFETIME: lambda row: -row.certificate.share_passed(now),
        CertificateSort.ISSUER: lambda row: row.certificate.issuer.casefold(),
        CertificateSort.KEY: lambda row: row.certificate.key,
        CertificateSort.TARGETS: lambda row: -len(row.targets),
    }
    first = own[sort]
    return lambda row: (first(row), row.certificate.not_after, row.certificate.fingerprint)


async def list_certificates(  # noqa: PLR0913 - parameters of a list
    summaries: AsyncIterable[Summary],
    wanted: CertificateFilter,
    now: datetime,
    *,
    sort: CertificateSort = CertificateSort.END,
    is_reversed: bool = False,
    start: int = 0,
    limit: int = 100,
) -> CertificatePage:
    """The certificates from `start` on, sorted; the most urgent, or most of something, come first."""
    rows, found = await _rows(summaries), list[CertificateRow]()
    issuers, keys, ends = Counter[str](), Counter[str](), Counter[int]()
    limits = [(days, now + timedelta(days=days)) for days in ENDS_WITHIN_DAYS]
    for place, row in enumerate(rows):
        if place % _SLICE == 0:
            await asyncio.sleep(0)
        issuers[row.certificate.issuer] += 1
        keys[row.certificate.key] += 1
        ends.update(days for days, end in limits if row.certificate.not_after <= end)
        if wanted.matches(row, now):
            found.append(row)
    found.sort(key=_sort_key(sort, now), reverse=is_reversed)
    await asyncio.sleep(0)
    by_end = {days: ends[days] for days in ENDS_WITHIN_DAYS}
    page = found[start : start + limit]
    return CertificatePage(page, len(found), len(rows), by_end, issuers.most_common(), keys.most_common())
