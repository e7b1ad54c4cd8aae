"""The vocabulary of all other modules: frozen data and closed enums, no I/O.

Facts say what was seen, findings what that means; a `Report` contains both. `None` always means "unknown", never "no".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeVar

from exporter.moments import AnyDay, Time

T = TypeVar("T")


class Protocol(StrEnum):
    """Protocol versions by the label values of `tls_posture_protocol_accepted`, oldest first."""

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
    """The result of a check. Unknown is not a pass."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Severity(StrEnum):
    """How much a failed check matters, according to the policy."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Addresses(StrEnum):
    """How many of a host's addresses are scanned."""

    ONE = "one"
    ALL = "all"


class DnsQuestion(StrEnum):
    """What is asked of the DNS only if a policy needs it: the key of its facts in a report."""

    TLSA = "tlsa"
    MTA_STS = "mta_sts"
    MTA_STS_POLICY = "mta_sts_policy"


CLOCK_TOLERANCE = timedelta(minutes=1)
"""Corrections of the system's clock by at most this much have no consequences. Verdicts depend on days and hours."""


def holds(seen_at: datetime, now: Time, lifetime: timedelta) -> bool:
    """Whether a fact seen at `seen_at` still counts. A time in the future does not, because its age is unknown."""
    return now - lifetime <= seen_at <= now + CLOCK_TOLERANCE


MOST_ADDRESSES = 16
"""Most addresses of one target that are scanned: a name can have hundreds, and every scan of it would be hundreds of
scans."""


class IpProtocol(StrEnum):
    """Which addresses of a host are used."""

    ANY = "any"
    IP4 = "ip4"
    IP6 = "ip6"

    def takes(self, address: str) -> bool:
        """Whether this IP literal is one of them."""
        return self is IpProtocol.ANY or self.endswith(str(ip_version(address)))


class Reason(StrEnum):
    """Why a probe could not find out: the closed label values of `tls_posture_probe_failure`."""

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
    LIBRARY_UNAVAILABLE = "library_unavailable"
    BLOCKED = "blocked"
    NO_WORKER = "no_worker"
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
    """What a server does about client certificates: label values of `..._certificate_client_auth`."""

    NONE = "none"
    REQUESTED = "requested"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy on the way to a target. As text it has no user and password, which are never shown.

    Attributes:
        scheme: `http` (CONNECT) or `socks5`.
        host: DNS name (A-label form) or IP literal without brackets.
        user: None if there is none.
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
    """PEM files of the client certificate for services that request one, and of its key. Read with each scan."""

    cert_file: str
    key_file: str


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How a target is asked over HTTP.

    Attributes:
        path: of the first request, with the query if there is one.
        host: value of the Host field instead of the target's host, in the same form.
        user_agent: None means only the name of this program.
        port: port of a server without TLS; None does not look for one.
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
        policies: names or files of the policies that it is judged by, each separately.
        protocol: the protocol inside TLS (`https`, `imaps`, `smtp`, ..., `tls` if nothing is assumed).
        starttls: the dialogue before TLS, or None for TLS from the first byte.
        ehlo_name: the name of this client in the dialogues of SMTP and LMTP; None is the result of `own_name`.
        server_name: sent as SNI and matched against the certificate; None sends none.
        connect_address: where to connect instead of what `host` resolves to.
        addresses: whether one address of the host is scanned or all.
        ip_protocol: which addresses of the host are used.
        proxy: the proxy, which then also resolves `host` (or `connect_address`); None connects directly.
        ca_file: PEM bundle to trust instead of the system's store.
        client_certificate: sent to a server that requests one; None sends none.
        labels: the operator's own labels, added to every series.
        connections_per_host: most connections at once to one address.
        connection_gap_seconds: least time from the start of one connection to one address to that of the next.
        timeout_seconds: limit of one connect or one read.
        http: only for protocol https.
        vulnerability_interval: how often attacks that need a try are tried; None for never.
        max_age: how long facts count after the last scan that saw them.
        mail_domain: the domain whose mail the server accepts, for DNS records below it; None if not configured.
        distribution: the distribution of the server's software as declared by the operator (`debian 12`); None if not
            configured.
        questions: what its policies need from the DNS in addition to CAA.
        clients: ids of the clients whose connections are shown in metrics.
        zone: whose workers scan it; empty if this process does.
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
    zone: str = ""

    @property
    def verified_name(self) -> str:
        """The name or address for which the certificate must be valid."""
        return self.server_name or without_zone(self.host)

    @property
    def files(self) -> frozenset[str]:
        """The files that scans of it read: trust, and the client's certificate."""
        own = self.client_certificate
        return frozenset(filter(None, (self.ca_file, *((own.cert_file, own.key_file) if own else ()))))

    @property
    def host_is_ip(self) -> bool:
        """Whether `host` is an IP literal, for which neither CAA nor HSTS exists (RFC 8659; RFC 6797, 8.1.1)."""
        return is_ip(self.host)


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IP4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
"""IPv4 literals have one spelling."""


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 literal (without brackets)."""
    if ":" not in text:  # most hosts; lists have thousands of them
        return _IP4.fullmatch(text) is not None
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def plain_address(literal: str) -> str:
    """An IP literal in its usual spelling; an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) as IPv4.

    Only a link-local address needs its zone (RFC 4007, 6). With a zone in other addresses, system calls fail.
    """
    address = ip_address(literal)
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or (address if address.is_link_local else without_zone(str(address))))


def without_zone(host: str) -> str:
    """A host as in certificates and requests: without its zone, which has a meaning only here (RFC 6874, 1)."""
    return str(ip_address(host.partition("%")[0])) if "%" in host and is_ip(host) else host


def ip_version(literal: str) -> int:
    """4 or 6: the protocol by which a machine with this address is reached."""
    return ip_address(plain_address(literal)).version


class Facts:
    """What the probes saw: at most one value of each class of facts, each with the time (UTC) at which it was seen.

    The key is the class, so a new probe adds its own class and nothing changes here.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[type, tuple[object, datetime]] | None = None) -> None:
        self._parts = dict(parts or {})

    def get(self, kind: type[T]) -> T | None:
        """The facts of this class, or None if no probe found them."""
        part = self._parts.get(kind)
        return part[0] if part is not None and isinstance(part[0], kind) else None

    def seen_at(self, kind: type) -> datetime | None:
        """When the facts of this class were seen."""
        part = self._parts.get(kind)
        return part[1] if part else None

    @property
    def oldest(self) -> datetime | None:
        """When the oldest of these facts were seen; None if there are none."""
        return min((at for _, at in self._parts.values()), default=None)

    def with_part(self, value: object, at: datetime) -> "Facts":
        """These facts and one more part, replacing an older one of the same class."""
        return Facts({**self._parts, type(value): (value, at)})

    def over(self, older: "Facts") -> "Facts":
        """These facts, with those of the older ones added whose classes are missing."""
        return Facts({**older._parts, **self._parts})  # noqa: SLF001 - own class

    def without(self, kinds: Iterable[type]) -> "Facts":
        """These facts without the given classes."""
        gone = set(kinds)
        return Facts({kind: part for kind, part in self._parts.items() if kind not in gone})

    def __len__(self) -> int:
        return len(self._parts)

    def __eq__(self, other: object) -> bool:
        return self._parts == other._parts if isinstance(other, Facts) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal by value, and the values contain mappings

    def __repr__(self) -> str:
        return f"Facts({', '.join(kind.__name__ for kind in self._parts)})"


@dataclass(frozen=True, slots=True)
class Failure:
    """One probe that could not find out, in the last scan."""

    probe: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The result of one scan of one target at one address, before it is judged.

    Attributes:
        facts: only what this scan saw.
        probes: name of each probe -> whether it found out, when it last ran. True also for a handshake probe whose time
            ended before it was done; it is then among the failures too.
        success: the server was reached over TLS and every mandatory probe was done.
        connections: TCP connections opened to the target, or to its proxy.
        bytes_sent: TCP payload over these connections, including the dialogue with a proxy.
        bytes_received: the same, until each connection was closed.
        address: the one scanned, with `addresses: all`; also None if no address was known.
        addresses_found: how many there are, with `addresses: all`, including those that were not scanned.
        elapsed_seconds: duration by the monotonic clock; None if it was not recorded.
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
        """Duration of the scan."""
        if self.elapsed_seconds is not None:
            return self.elapsed_seconds
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to change on one kind of server so that a check passes.

    Attributes:
        server: `nginx`, `Apache`, `HAProxy`, `Postfix`, `Dovecot`, or `any` if it is not for a specific server.
        lines: lines of its configuration, ready to copy; empty if there are none.
        note: what to do or to consider, in one or two sentences.
    """

    server: str
    lines: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """That an operator accepts a failure for some time. The failure stays a failure.

    Attributes:
        until: the last day (UTC) on which it counts.
        reason: why, for people.
        accepted_by: who, for people.
    """

    until: date
    reason: str
    accepted_by: str

    @property
    def ends_at(self) -> datetime:
        """When it no longer counts: the midnight (UTC) after the last day. The last day of all has no such moment."""
        return datetime.combine(min(self.until, date.max - timedelta(days=1)) + timedelta(days=1), time(), UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of one policy says about one target.

    Attributes:
        summary: one sentence for a person.
        evidence: what was seen, grouped (protocol -> offending suites, ...); empty if there is none to name.
        policy: name of the policy with the demand.
        asked: what the policy asks for, in a sentence.
        sources: the sources of the demand.
        remedy: what to change, for each kind of server that it may be; only for failures.
        accepted: set where the operator accepts this failure today; only for failures.
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
    accepted: Acceptance | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is a failure that the operator does not accept."""
        return self.verdict is Verdict.FAIL and self.accepted is None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One fact that differs between addresses of a target.

    Attributes:
        fact: its key in the report's `facts`.
        said: address -> part of the fact -> its value there; only the first few of the parts that differ.
    """

    fact: str
    said: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one target at one address: the last scan, and facts.

    `facts` may be older than `result` if the last scan could not find out; see `Facts.seen_at`.

    Attributes:
        last_success_at: end of the last successful scan; None if there was none.
    """

    result: ScanResult
    facts: Facts
    last_success_at: datetime | None

    @property
    def target(self) -> Target:
        """The target that was scanned."""
        return self.result.target

    @property
    def address(self) -> str | None:
        """The address that was scanned, with `addresses: all`."""
        return self.result.address


@dataclass(frozen=True, slots=True)
class Report(Seen):
    """What is known of one target at one address, judged: `facts` are those that still count, with derived ones.

    Attributes:
        policies: names of the policies, in the target's order; each finding names its own.
        judged_on: day (UTC) by which dates in the policies were judged; compared by whoever shows the report.
        disagreements: between all addresses of the target, in the report of each; None if no two could be compared.
    """

    policies: tuple[str, ...]
    findings: tuple[Finding, ...]
    judged_on: AnyDay = field(compare=False)
    disagreements: tuple[Disagreement, ...] | None = None

    @property
    def compliant(self) -> bool | None:
        """True if all policies are met, False if one is not met, otherwise None."""
        met = {self.compliant_with(policy) for policy in self.policies}
        if False in met:
            return False
        return True if met == {True} else None

    def compliant_with(self, policy: str) -> bool | None:
        """True if all applicable checks of it pass, False if one fails, None if none fails but one is unknown.

        Also None if no check applies: nothing was judged.
        """
        verdicts = {one.verdict for one in self.findings if one.policy == policy} - {Verdict.NOT_APPLICABLE}
        if Verdict.FAIL in verdicts:
            return False
        return True if verdicts == {Verdict.PASS} else None


class Unit(StrEnum):
    """What the value of a metric is, in the words of docs/metrics.md."""

    FLAG = "0 or 1"
    ONE = "always 1"
    COUNT = "a count"
    BITS = "bits"
    BYTES = "bytes"
    SECONDS = "seconds"
    TIME = "a time in seconds since 1970-01-01 00:00 UTC"
    POINTS = "points, 0 to 100"
    RANK = "a rank, 0 to 7"


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a metric family.

    Attributes:
        text: what its values are.
        values: all values that it can have; empty where they are not a closed set.
        example: one of its values.
    """

    name: str
    text: str
    values: tuple[str, ...] = ()
    example: str = ""


PROTOCOL_LABEL = Label("protocol", "protocol version", tuple(Protocol), Protocol.TLS1_2)
POLICY_LABEL = Label("policy", "name of the policy", example="kopano-checklist")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family of the contract. Two families with the same name and help are the same.

    Attributes:
        unit: what its values are.
        absent: when there is no sample of it, as the rest of a sentence that begins with "Absent".
        labels: its own, in the order they are shown; those of the target come before them.
        example: one of its values.
        kind: the type in the exposition; all families about targets are gauges.
    """

    name: str
    help: str
    unit: Unit = field(compare=False)
    absent: str = field(compare=False)
    labels: tuple[Label, ...] = field(default=(), compare=False)
    example: float = field(default=1, compare=False)
    kind: Literal["gauge", "counter", "histogram"] = field(default="gauge", compare=False)

    def __hash__(self) -> int:
        """Of the name only: families are keys of what is rendered, and Python keeps the hash of a text."""
        return hash(self.name)


_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Sample(NamedTuple):
    """One sample of a family; the labels of the target itself are added when it is rendered."""

    family: Family
    value: float
    labels: Mapping[str, str] = _NO_LABELS
