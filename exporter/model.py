"""The vocabulary that every other module speaks: frozen data, closed enums, no input or output.

Facts say what was seen, findings what that means; both travel in a `Report`. `None` always means "not known", never
"no".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")


class Protocol(StrEnum):
    """Protocol versions under the label values of `tls_posture_protocol_accepted`, oldest first."""

    SSL2 = "SSLv2"
    SSL3 = "SSLv3"
    TLS1_0 = "TLSv1.0"
    TLS1_1 = "TLSv1.1"
    TLS1_2 = "TLSv1.2"
    TLS1_3 = "TLSv1.3"


class CipherOrder(StrEnum):
    """Whose preference decides the cipher suite."""

    SERVER = "server"
    CLIENT = "client"
    MIXED = "mixed"


class Verdict(StrEnum):
    """What a check says. Unknown is not a pass."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Severity(StrEnum):
    """How much a failed check matters, as the policy has it."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Addresses(StrEnum):
    """How many of the addresses that a host resolves to are scanned."""

    ONE = "one"
    ALL = "all"


class DnsQuestion(StrEnum):
    """What is asked of the DNS only for those who want to know: the key of its facts in a report."""

    TLSA = "tlsa"
    MTA_STS = "mta_sts"
    MTA_STS_POLICY = "mta_sts_policy"


CLOCK_TOLERANCE = timedelta(minutes=1)
"""Corrections of the system's clock up to this much are none that anything is done about. Verdicts go by days and
hours, and are made anew once a minute."""


def holds(seen_at: datetime, now: datetime, lifetime: timedelta) -> bool:
    """Whether what was seen at a time holds now. What comes from the future is of unknown age, so it does not."""
    return now - lifetime <= seen_at <= now + CLOCK_TOLERANCE


MOST_ADDRESSES = 16
"""Scanned of one target: a name can have hundreds, and every scan of it would be hundreds of scans."""


class IpProtocol(StrEnum):
    """Which addresses of a host are used."""

    ANY = "any"
    IP4 = "ip4"
    IP6 = "ip6"

    def takes(self, address: str) -> bool:
        """Whether this IP literal is one of them."""
        return self is IpProtocol.ANY or self.endswith(str(ip_version(address)))


class Reason(StrEnum):
    """Why a probe could not tell: the closed label values of `tls_posture_probe_failure`."""

    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_ERROR = "dns_error"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_ERROR = "connect_error"
    STARTTLS_REFUSED = "starttls_refused"
    STARTTLS_ERROR = "starttls_error"
    STARTTLS_TIMEOUT = "starttls_timeout"
    NOT_TLS = "not_tls"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    HANDSHAKE_ERROR = "handshake_error"
    CLIENT_CERTIFICATE_REQUIRED = "client_certificate_required"
    HTTP_TIMEOUT = "http_timeout"
    HTTP_ERROR = "http_error"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    WORKER_CRASHED = "worker_crashed"
    BLOCKED = "blocked"
    INTERNAL = "internal"


class TrustFailure(StrEnum):
    """Label values of `tls_posture_certificate_verification_failure`."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    SELF_SIGNED = "self_signed"
    UNKNOWN_ISSUER = "unknown_issuer"
    INCOMPLETE_CHAIN = "incomplete_chain"
    NAME_MISMATCH = "name_mismatch"
    PROFILE = "profile"
    REVOKED = "revoked"
    OTHER = "other"


class ClientAuthentication(StrEnum):
    """What a server does about certificates of its clients: label values of `..._certificate_client_auth`."""

    NONE = "none"
    REQUESTED = "requested"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that leads to a target. As text it is without user and password, which are never shown.

    Attributes:
        scheme: `http` (CONNECT) or `socks5`.
        host: DNS name (A-label form) or IP literal without brackets.
        user: None when there is none to give.
    """

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM files of the certificate to show to services that ask for one, and of its key. Read with each scan."""

    cert_file: str
    key_file: str


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How a target is asked over HTTP.

    Attributes:
        path: of the first request, with the query if there is one.
        host: stands in the Host field instead of the target's host; as that.
        user_agent: None names this program alone.
        port: where a server without TLS is looked for; None does not look.
    """

    path: str = "/"
    host: str | None = None
    user_agent: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One TLS service to watch, with every default filled in.

    Attributes:
        name: unique; the `target` label. Default `host:port`.
        host: DNS name (A-label form) or IP literal without brackets.
        policies: names or files of those that it is held against, each by itself.
        protocol: what is spoken inside TLS (`https`, `imaps`, `smtp`, ..., `tls` when nothing is assumed).
        starttls: the dialogue before TLS, or None for TLS from the first byte.
        ehlo_name: what the dialogues of SMTP and LMTP call this client; None is what `own_name` makes of the machine.
        server_name: sent as SNI and matched against the certificate; None sends none.
        connect_address: where to connect instead of what `host` resolves to.
        addresses: whether one address of the host is scanned or each.
        ip_protocol: which addresses of the host are used.
        proxy: the way to it, and what resolves `host` (or `connect_address`) then; None connects directly.
        ca_file: PEM bundle to trust instead of the system's store.
        client_certificate: what to show to a server that asks for one; None shows nothing.
        labels: the operator's own labels, added to every series.
        connections_per_host: most connections at once to one address.
        connection_gap_seconds: least time from the start of one connection to one address to that of the next.
        timeout_seconds: limit of one connect or one read.
        http: for protocol https alone.
        vulnerability_interval: how often the attacks are tried that need a try; None for never.
        max_age: how long facts outlive the last scan that could tell.
        mail_domain: whose mail the server takes, for what stands in the DNS below that domain; None when not said.
        distribution: whose packages the server's software is, by its operator's word (`debian 12`); None when not said.
        questions: what its policies need to know of the DNS beside CAA.
        clients: ids of those whose connections show in metrics.
    """

    name: str
    host: str
    port: int
    policies: tuple[str, ...]
    protocol: str = "https"
    starttls: str | None = None
    ehlo_name: str | None = None
    server_name: str | None = None
    connect_address: str | None = None
    addresses: Addresses = Addresses.ONE
    ip_protocol: IpProtocol = IpProtocol.ANY
    proxy: Proxy | None = None
    ca_file: str | None = None
    client_certificate: ClientCertificate | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    connections_per_host: int = 4
    connection_gap_seconds: float = 0.0
    timeout_seconds: float = 5.0
    http: HttpOptions = HttpOptions()
    scan_interval: timedelta = timedelta(hours=6)
    scan_timeout: timedelta = timedelta(minutes=2)
    vulnerability_interval: timedelta | None = timedelta(hours=24)
    max_age: timedelta = timedelta(hours=18)
    mail_domain: str | None = None
    distribution: str | None = None
    questions: frozenset[DnsQuestion] = frozenset()
    clients: tuple[str, ...] = ()

    @property
    def verified_name(self) -> str:
        """The name or address that the certificate must carry."""
        return self.server_name or without_zone(self.host)

    @property
    def host_is_ip(self) -> bool:
        """Whether `host` is an IP literal, for which neither CAA nor HSTS exists (RFC 8659; RFC 6797, 8.1.1)."""
        return is_ip(self.host)


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 literal (without brackets)."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def plain_address(literal: str) -> str:
    """An IP literal in its usual spelling; an IPv4 address in IPv6 clothes (RFC 4291, 2.5.5.2) as what it is.

    Only a link-local address needs its zone (RFC 4007, 6); with one behind another, system calls fail.
    """
    address = ip_address(literal)
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or (address if address.is_link_local else without_zone(str(address))))


def without_zone(host: str) -> str:
    """A host as it stands in certificates and requests: a zone means something on this machine alone (RFC 6874, 1)."""
    return str(ip_address(host.partition("%")[0])) if "%" in host and is_ip(host) else host


def ip_version(literal: str) -> int:
    """4 or 6: the protocol in which a machine with this address is reached."""
    return ip_address(plain_address(literal)).version


class Facts:
    """What the probes saw: at most one value of each facts class, each with the time (UTC) it was seen at.

    Keyed by class, so that a new probe brings its own class and nothing here changes.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[type, tuple[object, datetime]] | None = None) -> None:
        self._parts = dict(parts or {})

    def get(self, kind: type[T]) -> T | None:
        """The facts of this class, or None when no probe could tell."""
        part = self._parts.get(kind)
        return part[0] if part is not None and isinstance(part[0], kind) else None

    def seen_at(self, kind: type) -> datetime | None:
        """When the facts of this class were seen."""
        part = self._parts.get(kind)
        return part[1] if part else None

    def with_part(self, value: object, at: datetime) -> "Facts":
        """These facts and one more part, replacing an older one of the same class."""
        return Facts({**self._parts, type(value): (value, at)})

    def over(self, older: "Facts") -> "Facts":
        """These facts, completed by those of the older ones that are of other classes."""
        return Facts({**older._parts, **self._parts})  # noqa: SLF001 - own class

    def without(self, kinds: Iterable[type]) -> "Facts":
        """These facts less the named classes."""
        gone = set(kinds)
        return Facts({kind: part for kind, part in self._parts.items() if kind not in gone})

    def __len__(self) -> int:
        return len(self._parts)

    def __eq__(self, other: object) -> bool:
        return self._parts == other._parts if isinstance(other, Facts) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal by value, and the values hold mappings

    def __repr__(self) -> str:
        return f"Facts({', '.join(kind.__name__ for kind in self._parts)})"


@dataclass(frozen=True, slots=True)
class Failure:
    """One probe that could not tell, in the last scan."""

    probe: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one scan of one target brought at one address, before judgement.

    Attributes:
        facts: only what this scan saw.
        probes: name of each probe -> whether it could tell, when it last ran. The handshake probe could, too, when its
            time was over before it was done; it is among the failures then.
        success: the server was reached over TLS and every mandatory probe was done.
        connections: TCP connections opened to the target, or to its proxy.
        bytes_sent: by these connections, as TCP payload; what a proxy is told counts too.
        bytes_received: likewise, up to where each connection was closed.
        address: the one scanned, with `addresses: all`; None as well when none was known.
        addresses_found: how many there are, with `addresses: all`, the ones that were not scanned included.
        elapsed_seconds: what it took by the monotonic clock; None where that was not taken down.
    """

    target: Target
    started_at: datetime
    ended_at: datetime
    facts: Facts
    probes: Mapping[str, bool]
    failures: tuple[Failure, ...]
    success: bool
    connections: int
    bytes_sent: int
    bytes_received: int
    address: str | None = None
    addresses_found: int | None = None
    elapsed_seconds: float | None = None

    @property
    def duration_seconds(self) -> float:
        """Wall time of the scan."""
        if self.elapsed_seconds is not None:
            return self.elapsed_seconds
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to change on one kind of server so that a check passes.

    Attributes:
        server: `nginx`, `Apache`, `HAProxy`, `Postfix`, `Dovecot`, or `any` where no server's configuration is meant.
        lines: of its configuration, as they are to stand there; empty where there are none to give.
        note: what to do, or to mind, in a sentence or two.
    """

    server: str
    lines: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of one policy says of one target.

    Attributes:
        summary: one sentence for a person.
        evidence: what was seen, grouped (protocol -> offending suites, ...); empty when there is none to name.
        policy: name of the policy that asks for it.
        asked: what the policy asks for, in a sentence.
        sources: where that is written.
        remedy: what to change, for each kind of server it may be; only of failures.
    """

    check: str
    verdict: Verdict
    severity: Severity
    summary: str
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    policy: str = ""
    asked: str = ""
    sources: tuple[str, ...] = ()
    remedy: tuple[Remedy, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One fact that is not the same at every address of a target.

    Attributes:
        fact: its key in the report's `facts`.
        said: address -> part of the fact -> what it is there; only parts that differ, and of them the first few.
    """

    fact: str
    said: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Report:
    """The latest word on one target at one address: last scan, facts that still hold, findings under its policies.

    `facts` may be older than `result` where the last scan could not tell; see `Facts.seen_at`.

    Attributes:
        policies: names of those it was judged by, in the order of the target's; each finding names its own.
        judged_on: day (UTC), by which it goes what a policy asks for.
        disagreements: of all addresses of the target, in the report of each; None when no two could be compared.
    """

    result: ScanResult
    facts: Facts
    policies: tuple[str, ...]
    findings: tuple[Finding, ...]
    last_success_at: datetime | None
    judged_on: date
    disagreements: tuple[Disagreement, ...] | None = None

    @property
    def target(self) -> Target:
        """The target that was scanned."""
        return self.result.target

    @property
    def address(self) -> str | None:
        """The address that was scanned, with `addresses: all`."""
        return self.result.address

    @property
    def compliant(self) -> bool | None:
        """True when all policies are met, False when one is not, else None."""
        met = {self.compliant_with(policy) for policy in self.policies}
        if False in met:
            return False
        return True if met == {True} else None

    def compliant_with(self, policy: str) -> bool | None:
        """True when all its applicable checks pass, False when one fails, None when none fails but one is unknown.

        None as well when none of them applies at all: nothing was judged.
        """
        verdicts = {one.verdict for one in self.findings if one.policy == policy} - {Verdict.NOT_APPLICABLE}
        if Verdict.FAIL in verdicts:
            return False
        return True if verdicts == {Verdict.PASS} else None


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family of the contract; all families about targets are gauges."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a family; the labels of the target itself are added when it is rendered."""

    family: Family
    value: float
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
