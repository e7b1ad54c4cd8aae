"""Targets full of dates: random facts, policies, exceptions and ends of support, all within some months."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel

from exporter.exceptions import Exceptions
from exporter.facts.certificate import OcspStatus
from exporter.facts.dns import MtaStsFacts, StsPolicy, StsPolicyFacts, TlsaFacts, TlsaRecord
from exporter.judge import Judge
from exporter.model import Facts, Protocol, Seen, Target, TrustFailure
from exporter.policies import load_policy
from exporter.probes.registry import PROBES
from exporter.software.support import Product, SupportTable
from tests.support.exceptions import exceptions
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GOOD_CAA,
    GOOD_SUITES,
    RC4,
    certificates,
    deployment,
    handshake,
    http_everywhere,
    issuer,
    result,
    showing,
    tried,
    watched,
)
from tests.support.targets import NOW

MONTHS = timedelta(days=120)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CHECKS: Mapping[str, Mapping[str, Any]] = {
    "protocols": {"allowed": ["TLSv1.2", "TLSv1.3", "TLSv1.0"], "forbidden": ["SSLv3", "TLSv1.1"]},
    "cipher_suites": {
        "allowed": [GCM, CBC_RSA, {"where": "aead"}],
        "tls13_allowed": ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"],
        "forbidden": [RC4, CBC_RSA],
    },
    "key_exchange_groups": {"allowed": ["x25519", "secp256r1"], "required": ["x25519"]},
    "signature_schemes": {"forbidden": ["rsa_pkcs1_sha1"]},
    "vulnerabilities": {"forbidden": ["ccs_injection", "rc4", "sweet32", "beast"]},
    "extensions": {"required": ["secure_renegotiation"], "forbidden": ["heartbeat"]},
    "certificate_key": {"allowed": ["EC", "RSA"], "curves": ["P-256"]},
    "certificate_signature": {"forbidden": ["sha1", "sha256"]},
    "certificate_expiry": {"min_days": 21, "min_lifetime_share": 0.25},
    "certificate_valid": {},
    "certificate_lifetime": {"max_days": 90},
    "server_software": {"maintained": True},
    "hsts": {"min_max_age_seconds": 31536000},
    "hsts_preload": {},
    "caa": {"required": True},
    "caa_issuer": {"required": True},
    "dane": {"required": True},
    "mta_sts": {"records": ["mta_sts", "tls_rpt"]},
    "mta_sts_policy": {"modes": ["enforce"]},
    "grade": {"minimum": "A"},
    "clients": {"can_connect": ["firefox-62"]},
}
"""A demand of each check that looks at the time, and of some that do not."""
_LISTS = ("allowed", "forbidden", "required", "curves", "tls13_allowed")


@dataclass(frozen=True, slots=True)
class Dated:
    """One target with what was seen of it, and what judges it."""

    target: Target
    seen: tuple[Seen, ...]
    judge: Judge

    def moments(self) -> set[datetime]:
        """All dates that occur anywhere in it, and what the lifetimes of facts make of them."""
        exceptions = self.judge.exceptions._latest_first  # noqa: SLF001 - no other place has them
        parts = (self.seen, tuple(self.judge.policies.values()), self.judge.table, tuple(exceptions))
        found = set(_dates(parts))
        ages = (self.target.max_age, (self.target.vulnerability_interval or DAY) + self.target.max_age)
        return {
            moment + shift
            for moment in found
            for shift in (timedelta(0), DAY, *ages, *(-timedelta(days=days) for days in (21, 7, 2, 1)))
            if moment < datetime(2100, 1, 1, tzinfo=UTC)
        }


def _dates(part: object) -> Iterator[datetime]:
    """Every date within it."""
    if isinstance(part, datetime):
        yield part
    elif isinstance(part, date):
        yield datetime.combine(part, time(), UTC)
    else:
        for below in _parts(part):
            yield from _dates(below)


def _parts(part: object) -> Iterable[object]:
    match part:
        case Mapping():
            return part.values()
        case tuple() | list() | frozenset():
            return part
        case Facts():
            return [one for probe in PROBES for one in (part.get(probe.kind), part.seen_at(probe.kind))]
        case BaseModel():
            return [value for _, value in part]
        case _ if dataclasses.is_dataclass(part):
            return [getattr(part, field.name) for field in dataclasses.fields(part)]
    return ()


class _Maker:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)  # noqa: S311 - no secret

    def _days(self) -> datetime:
        return NOW + self._random.random() * MONTHS

    def _limits(self) -> dict[str, str]:
        """No days, a first day, a last day, or both."""
        first, last = sorted(self._days().date().isoformat() for _ in range(2))
        limits = {"from": first, "until": last}
        return {key: limits[key] for key in limits if self._random.random() < 0.4}

    def _entries(self, entries: list[Any]) -> list[dict[str, Any]]:
        return [{**(one if isinstance(one, dict) else {"is": one}), **self._limits()} for one in entries]

    def _demand(self, asked: Mapping[str, Any], severity: str) -> dict[str, Any]:
        items = {key: self._entries(value) if isinstance(value, list) else value for key, value in asked.items()}
        lists = {key: items[key] if key in _LISTS else value for key, value in asked.items()}
        return {"severity": severity, "source": "x", **lists, **self._limits()}

    def policy(self, file: Path) -> str:
        """A policy with each of these checks twice."""
        checks = {
            name: [self._demand(asked, severity) for severity in ("critical", "warning")]
            for name, asked in CHECKS.items()
        }
        head = {"name": file.stem, "title": "Own", "version": "1", "source": "x"}
        file.write_text(yaml.safe_dump({**head, "checks": checks}), encoding="utf-8")
        return str(file)

    def exceptions(self) -> Exceptions:
        """Some exceptions, two of them for the same check."""
        chosen = [*self._random.sample(sorted(CHECKS), 3), "hsts", "hsts"]
        made = [exceptions(check=check, until=self._days().date()) for check in chosen]
        return Exceptions([one for several in made for one in several._latest_first])  # noqa: SLF001 - as above

    def table(self) -> SupportTable:
        """Products with ends of support that are known, open, or long past."""
        ends: dict[str, date | bool] = {
            "1.30": self._days().date(),
            "1.28": self._days().date(),
            "1.32": False,
            "1.14": date(2020, 1, 1),
        }
        since = {"1.14": date(2018, 1, 1), "1.32": NOW.date()}
        as_of = self._days() - timedelta(days=330)
        return SupportTable({"nginx": Product(as_of, ends, since=since, newest={"1.32": "1.32.1"})})

    def _deployment(self) -> Any:  # noqa: ANN401 - Deployment
        end, begin = self._days(), self._days() - MONTHS / 2
        failures = [TrustFailure.NOT_YET_VALID] if begin > NOW else []
        ocsp = {"ocsp_stapled": OcspStatus.GOOD, "ocsp_until": self._days()} if self._random.random() < 0.5 else {}
        made = deployment(
            issuer(not_after=self._days() + MONTHS / 4), not_before=begin, not_after=max(end, begin + DAY), **ocsp
        )
        return replace(made, trusted=not failures, failures=tuple(failures))

    def facts(self) -> Facts:
        """Facts that were seen at different times."""
        weak = {**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA, RC4)}
        server = self._random.choice(("nginx/1.30.4", "nginx/1.28.0", "nginx/1.32.1", "nginx/1.14.0"))
        parts = (
            handshake(weak if self._random.random() < 0.5 else GOOD_SUITES),
            certificates(*(self._deployment() for _ in range(self._random.choice((1, 2))))),
            showing(http_everywhere("max-age=31536000"), ("server", server)),
            GOOD_CAA,
            tried({"ccs_injection": False, "robot": True}, at=self._seen_at()),
            TlsaFacts("_443._tcp.www.test.example", (TlsaRecord(2, 1, 1, "12" * 32),), dnssec=True),
            MtaStsFacts("test.example", None, "x"),
            StsPolicyFacts("test.example", StsPolicy("enforce", 86400, ("*.test.example",)), until=self._days()),
        )
        together = Facts()
        for part in parts:
            together = together.with_part(part, self._seen_at())
        return together

    def _seen_at(self) -> datetime:
        return NOW - self._random.random() * 5 * DAY

    def target(self, policies: tuple[str, ...]) -> Target:
        """The target of a mail domain, whose facts count for days or for months."""
        age = (MONTHS * 2, 10 * DAY, 18 * HOUR)[self._seed % 3]
        mail = {"port": 25, "protocol": "smtp", "mail_domain": "test.example"}
        other = mail if self._random.random() < 0.3 else {}
        labels = MappingProxyType({"team": "web"})
        return watched(policies=policies, max_age=age, distribution=None, labels=labels, **other)


def dated(folder: Path, seed: int) -> Dated:
    """A target of this seed, under a policy of its own and a shipped one that has dates."""
    maker = _Maker(seed)
    names = (maker.policy(folder / f"own{seed}.yaml"), "bsi-tr-02102-2")
    judge = Judge({name: load_policy(name) for name in names}, table=maker.table(), exceptions=maker.exceptions())
    target = judge.with_questions(maker.target(names))
    several: list[Seen] = []
    for _ in range(2 if seed % 4 == 0 else 1):
        seen = maker.facts()
        address = f"192.0.2.{len(several)}" if seed % 4 == 0 else None
        scan = replace(result(seen, target=target, ended_at=NOW), address=address)
        several.append(Seen(scan, seen, NOW))
    return Dated(target, tuple(several), judge)
