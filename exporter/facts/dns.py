"""DNS facts of a service, and the MTA-STS policy that DNS records announce."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from exporter.moments import Time
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
        caa: the relevant record set; empty when there is none up to the top-level domain.
        caa_domain: where it was found.
        wildcard: the record set for a wildcard that covers the host, where it is a different set and a certificate
            there has such a name. Its search begins one label above the host (RFC 8659, 3).
        dnssec: the resolver validated the answer for the host itself by DNSSEC; None where the resolver is not trusted
            for that.
        name: the complete name that the system's search list makes of the host; None where it is the host itself.
    """

    caa: tuple[CaaRecord, ...]
    caa_domain: str | None
    wildcard: CaaSet | None = None
    dnssec: bool | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class TlsaRecord:
    """One TLSA record; RFC 7218 has the meaning of its numbers.

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
        name: name at which they were found, or last looked for.
        records: empty when there are none.
        dnssec: the resolver validated this answer by DNSSEC; None where the resolver is not trusted for that.
    """

    name: str
    records: tuple[TlsaRecord, ...]
    dnssec: bool | None


@dataclass(frozen=True, slots=True)
class MtaStsFacts:
    """The TXT records of a mail domain.

    Attributes:
        mta_sts: the MTA-STS record, if there is exactly one and it is well-formed; else None.
        tls_rpt: the same for the record of TLS reports.
    """

    domain: str
    mta_sts: str | None
    tls_rpt: str | None


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A well-formed MTA-STS policy.

    Attributes:
        mode: one of `MODES`.
        mx: patterns in lower case; a `*` matches one complete label.
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
    """The MTA-STS policy on the web server of a mail domain.

    Attributes:
        policy: None when there is no valid policy.
        why: why there is none, as the rest of a sentence; empty with a policy.
        plain_text: the file is sent as text/plain, which some senders require (RFC 8461, 3.2).
        until: when a date of the web server's certificate puts this in doubt; None when none does.
    """

    domain: str
    policy: StsPolicy | None
    why: str = ""
    plain_text: bool = True
    until: datetime | None = None

    def at(self, now: Time) -> "StsPolicyFacts | None":
        """These facts, unless a date has put them in doubt by then: the web server may have renewed its certificate."""
        return self if self.until is None or now <= self.until else None

    def turns(self) -> Iterator[datetime]:
        """The moments at which that changes."""
        if self.until is not None:
            yield self.until
