"""What is known of a service by its records in the DNS, and of the MTA-STS policy that some of them announce."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from exporter.pki.caa import CaaRecord


@dataclass(frozen=True, slots=True)
class CaaSet:
    """A relevant record set.

    Attributes:
        records: empty when there is none up to the top-level domain.
        domain: where it was found.
    """

    records: tuple[CaaRecord, ...]
    domain: str | None


@dataclass(frozen=True, slots=True)
class DnsFacts:
    """The CAA records for a host.

    Attributes:
        caa: the relevant set; empty when there is none up to the top-level domain.
        caa_domain: where it was found.
        wildcard: the set for a wildcard that covers the host, where it is another one and a certificate there has such
            a name: the search begins one label above the host (RFC 8659, 3).
        dnssec: the resolver validated the answer about the host itself by DNSSEC; None where its word is not enough.
        name: what the system's search list makes of the host; None where it is the name itself.
    """

    caa: tuple[CaaRecord, ...]
    caa_domain: str | None
    wildcard: CaaSet | None = None
    dnssec: bool | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class TlsaRecord:
    """One record; what its numbers stand for is in RFC 7218.

    Attributes:
        data: hexadecimal.
    """

    usage: int
    selector: int
    matching: int
    data: str

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data}"


@dataclass(frozen=True, slots=True)
class TlsaFacts:
    """The TLSA records of a service.

    Attributes:
        name: where they were found, or last looked for.
        records: empty when there are none.
        dnssec: the resolver validated this answer by DNSSEC; None where its word is not enough.
    """

    name: str
    records: tuple[TlsaRecord, ...]
    dnssec: bool | None


@dataclass(frozen=True, slots=True)
class MtaStsFacts:
    """The records of a mail domain.

    Attributes:
        mta_sts: the record, where there is one that counts: exactly one, well-formed; None where there is none.
        tls_rpt: likewise.
    """

    domain: str
    mta_sts: str | None
    tls_rpt: str | None


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy that fits the grammar.

    Attributes:
        mode: one of `MODES`.
        mx: patterns in lower case; a `*` stands for one whole label.
    """

    mode: str
    max_age_seconds: int
    mx: tuple[str, ...]

    def covers(self, host: str) -> bool:
        """Whether mail may be delivered to this host (RFC 8461, 4.1)."""
        name = host.lower()
        return any(pattern in {name, f"*.{name.partition('.')[2]}"} for pattern in self.mx)


@dataclass(frozen=True, slots=True)
class StsPolicyFacts:
    """What the web server of a mail domain has for a policy.

    Attributes:
        policy: None when there is none that counts.
        why: the rest of a sentence about that; empty with a policy.
        plain_text: it comes as text/plain, which some senders insist on (RFC 8461, 3.2).
        until: when a date of the web server's certificate puts this in doubt; None when none does.
    """

    domain: str
    policy: StsPolicy | None
    why: str = ""
    plain_text: bool = True
    until: datetime | None = None

    def at(self, now: datetime) -> "StsPolicyFacts | None":
        """These, unless a date has put them in doubt by then: the web server may have renewed its certificate."""
        return self if self.until is None or now <= self.until else None

    def turns(self) -> Iterator[datetime]:
        """When that changes."""
        if self.until is not None:
            yield self.until
