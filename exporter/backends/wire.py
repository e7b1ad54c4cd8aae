"""Scans that run elsewhere, as text: what a scan needs of a target, and its results. Both are JSON with a version.

The reader believes nothing. What is too long, too deep, of another version, or not what a scan of this target can give
is a `WireError`. Labels, policies and passwords of a target are not part of its task.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeAlias, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json

from exporter.errors import ExporterError
from exporter.model import (
    MOST_ADDRESSES,
    Addresses,
    ClientCertificate,
    DnsQuestion,
    Facts,
    Failure,
    HttpOptions,
    IpProtocol,
    Proxy,
    ScanResult,
    Target,
    is_ip,
)
from exporter.probes.registry import PROBES
from exporter.scan import Known
from exporter.text import escaped

VERSION = 1
"""Of both documents. A reader of another version refuses them."""
MOST_CHARACTERS = 8 << 20
"""Of one document. The facts of sixteen addresses, each with four chains of certificates of 16 KB, are 1.5 million."""
MOST_COMMAS = 100_000
"""Of one document. Reading it takes time by its values: eight million characters can be half a million of them, which
stop the event loop for more than a second. Sixteen addresses that accept every suite in every protocol have 41,000."""
MOST_DIGITS = 300
"""Of one number. More do not fit into the floating-point numbers of metrics."""
MOST_SAMPLES = 10_000
"""Of the metrics of one probe at one address."""
_MOST_QUOTED = 200

T = TypeVar("T", bound=BaseModel)
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class WireError(ExporterError):
    """A document cannot be used. The message is safe to show."""


class _OnWire(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", allow_inf_nan=False)


class _Proxy(_OnWire):
    """The way to a target. The reader adds user and password where `authenticated` is set and `password` is missing."""

    scheme: Literal["http", "socks5"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    authenticated: bool
    user: str | None = None
    password: str | None = None


class _WireTarget(_OnWire):
    """What a scan needs of a target; names and types as in `Target`."""

    name: str
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    protocol: str
    starttls: str | None
    ehlo_name: str | None
    server_name: str | None
    connect_address: str | None
    addresses: Addresses
    ip_protocol: IpProtocol
    ca_file: str | None
    client_certificate: ClientCertificate | None
    connections_per_host: Annotated[int, Field(ge=1, le=1000)]
    connection_gap_seconds: Seconds
    timeout_seconds: Seconds
    http: HttpOptions
    scan_interval: timedelta
    scan_timeout: timedelta
    vulnerability_interval: timedelta | None
    max_age: timedelta
    mail_domain: str | None
    questions: frozenset[DnsQuestion]


_PLAIN = tuple(_WireTarget.model_fields)
_PART: Mapping[str, type[BaseModel]] = {
    probe.name: create_model(
        f"Wire{probe.kind.__name__}", __base__=_OnWire, seen_at=(AwareDatetime, ...), value=(probe.kind, ...)
    )
    for probe in PROBES
}
if TYPE_CHECKING:
    _Parts: TypeAlias = Any
else:  # one field for each probe, so the fields are known only at run time
    _Parts = create_model("_Parts", __base__=_OnWire, **{name: (part | None, None) for name, part in _PART.items()})


class _KnownOfAddress(_OnWire):
    address: str | None
    facts: _Parts


class _Task(_OnWire):
    version: Literal[1]
    target: _WireTarget
    proxy: _Proxy | None
    known: Annotated[list[_KnownOfAddress], Field(max_length=MOST_ADDRESSES)]


class _WireResult(_OnWire):
    """One result; names and types as in `ScanResult`, which has its target too."""

    started_at: AwareDatetime
    ended_at: AwareDatetime
    facts: _Parts
    probes: dict[str, bool]
    failures: Annotated[tuple[Failure, ...], Field(max_length=len(PROBES))]
    success: bool
    connections: Count
    bytes_sent: Count
    bytes_received: Count
    address: str | None
    addresses_found: Count | None
    elapsed_seconds: Seconds | None


class _Results(_OnWire):
    version: Literal[1]
    results: Annotated[list[_WireResult], Field(min_length=1, max_length=MOST_ADDRESSES)]


# --- tasks ------------------------------------------------------------------------------------------------------------


def task_of(target: Target, known: Known, *, secrets: bool = False) -> str:
    """What a scan of the target needs, as JSON text.

    Args:
        target: paths of its files are those of the machine that scans.
        known: the facts of earlier scans, see `exporter.scan`.
        secrets: whether user and password of the proxy are part of it.
    """
    proxy = None if target.proxy is None else _proxy_on_wire(target.proxy, secrets=secrets)
    kept = sorted(known.items(), key=lambda one: one[0] or "")[:MOST_ADDRESSES]
    return _text(
        _Task.model_construct(
            version=VERSION,
            target=_WireTarget.model_construct(**{name: getattr(target, name) for name in _PLAIN}),
            proxy=proxy,
            known=[_KnownOfAddress.model_construct(address=at, facts=_parts_of(facts)) for at, facts in kept],
        )
    )


def _proxy_on_wire(proxy: Proxy, *, secrets: bool) -> _Proxy:
    whose: dict[str, Any] = (
        {"user": proxy.user, "password": proxy.password} if secrets and proxy.user is not None else {}
    )
    return _Proxy.model_construct(
        scheme=proxy.scheme, host=proxy.host, port=proxy.port, authenticated=proxy.user is not None, **whose
    )


def no_credentials(proxy: Proxy) -> NoReturn:
    """For readers that have no credentials of proxies."""
    raise WireError(f"there are no credentials for the proxy {escaped(str(proxy))}")


def target_and_known(document: str, credentials: Callable[[Proxy], Proxy] = no_credentials) -> tuple[Target, Known]:
    """The target, without policies and labels, and the facts of earlier scans.

    Args:
        document: a result of `task_of`.
        credentials: adds user and password to a proxy that needs them, if the document has none; raises `WireError`.

    Raises:
        WireError: it cannot be used.
    """
    task = _read(_Task, document)
    proxy = None
    if task.proxy is not None:
        has = task.proxy
        proxy = Proxy(has.scheme, has.host, has.port, has.user, has.password or "")
        if has.authenticated and has.user is None:
            proxy = credentials(proxy)
    target = Target(policies=(), proxy=proxy, **{name: getattr(task.target, name) for name in _PLAIN})
    return target, {one.address: _facts_of(one.facts) for one in task.known}


# --- results ----------------------------------------------------------------------------------------------------------


def results_document(results: Iterable[ScanResult]) -> str:
    """The results of one scan of one target, as JSON text."""
    names = _WireResult.model_fields.keys() - {"facts"}
    found = [
        _WireResult.model_construct(facts=_parts_of(one.facts), **{name: getattr(one, name) for name in names})
        for one in results
    ]
    return _text(_Results.model_construct(version=VERSION, results=found))


def results_of(document: str, target: Target) -> tuple[ScanResult, ...]:
    """The results, as those of this target: of `results_document`, or of somebody who pretends to have scanned it.

    Raises:
        WireError: they cannot be results of a scan of this target.
    """
    results = tuple(_result(one, target) for one in _read(_Results, document).results)
    _check_addresses(results, target)
    return results


def _result(one: _WireResult, target: Target) -> ScanResult:
    plain = {name: getattr(one, name) for name in _WireResult.model_fields if name != "facts"}
    result = ScanResult(target=target, facts=_facts_of(one.facts), **plain)
    _check_outcome(result)
    if result.ended_at < result.started_at:
        raise WireError("a scan ended before it started")
    _check_facts(result)
    return result


def _check_outcome(result: ScanResult) -> None:
    """Check that the probes are those of the target, and that a success is one."""
    applying = [probe for probe in PROBES if probe.applies(result.target)]
    names, failed = {probe.name for probe in applying}, {failure.probe for failure in result.failures}
    for name in {*result.probes, *failed} - names:
        raise WireError(f"there is no probe {_short(name)} for this target")
    done = all(result.probes.get(one.name) and one.name not in failed for one in applying if one.mandatory)
    if result.success is not done:
        raise WireError("success is not what the probes say")


def _check_addresses(results: Sequence[ScanResult], target: Target) -> None:
    addresses = [result.address for result in results]
    if len(set(addresses)) < len(addresses) or (None in addresses and len(addresses) > 1):
        raise WireError("there are several results of one address")
    for address in addresses:
        if address is not None and (target.addresses is Addresses.ONE or not is_ip(address)):
            raise WireError(f"the target is not scanned at {_short(address)}")


def _check_facts(result: ScanResult) -> None:
    """Check that all facts are about this target, of this scan, and can be shown."""
    for probe in PROBES:
        value, at = result.facts.get(probe.kind), result.facts.seen_at(probe.kind)
        if value is None or at is None:
            continue
        if probe.name not in result.probes:
            raise WireError(f"there are facts of the probe {probe.name}, which did not run")
        if any(moment.tzinfo is None for moment in _moments(value)):
            raise WireError(f"a time of the probe {probe.name} has no offset")
        try:
            probe.shape.document(value)
            samples = sum(1 for _ in islice(probe.shape.samples(value), MOST_SAMPLES + 1))
        except Exception as error:  # a border: facts of others, which no code of ours has made
            raise WireError(f"facts of the probe {probe.name} cannot be shown: {type(error).__name__}") from error
        if samples > MOST_SAMPLES:
            raise WireError(f"the probe {probe.name} has more than {MOST_SAMPLES} samples")


def _moments(value: object) -> Iterator[datetime]:
    """All times in a value."""
    match value:
        case datetime():
            yield value
        case Mapping():
            for part in value.values():
                yield from _moments(part)
        case tuple() | list() | frozenset():
            for part in value:
                yield from _moments(part)
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from _moments(getattr(value, field.name))
        case _:
            return


def check_times(results: Sequence[ScanResult], earliest: datetime, latest: datetime) -> None:
    """Check that the scan, and everything that it saw, is of this time.

    Raises:
        WireError: it is not: the clock of the machine that scanned differs.
    """
    for result in results:
        seen = [at for probe in PROBES if (at := result.facts.seen_at(probe.kind)) is not None]
        if min(result.started_at, *seen, latest) < earliest or max(result.ended_at, *seen, earliest) > latest:
            raise WireError("the scan is not of the time in which it was wanted; clocks may differ")


# --- JSON -------------------------------------------------------------------------------------------------------------


def _parts_of(facts: Facts) -> _Parts:
    parts = {
        probe.name: _PART[probe.name].model_construct(seen_at=facts.seen_at(probe.kind), value=value)
        for probe in PROBES
        if (value := facts.get(probe.kind)) is not None
    }
    return _Parts.model_construct(**parts)


def _facts_of(parts: _Parts) -> Facts:
    return Facts(
        {probe.kind: (part.value, part.seen_at) for probe in PROBES if (part := getattr(parts, probe.name)) is not None}
    )


def _text(document: BaseModel) -> str:
    options: dict[str, Any] = {"fallback": dict, "warnings": False, "exclude_none": False}  # mapping proxies
    try:
        return document.model_dump_json(**options)
    except PydanticSerializationError:  # a lone surrogate in a text
        return to_json(_without_surrogates(document.model_dump(mode="json", **options))).decode()


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
        case list():
            return [_without_surrogates(part) for part in value]
        case _:
            return value


def _read(form: type[T], document: str) -> T:
    """The document in this form.

    Raises:
        WireError: it has another form, or is too large.
    """
    if len(document) > MOST_CHARACTERS:
        raise WireError(f"the document has more than {MOST_CHARACTERS} characters")
    if document.count(",") > MOST_COMMAS:
        raise WireError(f"the document has more than {MOST_COMMAS} values")
    try:
        json.loads(document, parse_int=_number, parse_float=_number, parse_constant=_number)
        return form.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise WireError(f"{_short(where)}: {_short(first['msg'])}") from None
    except RecursionError:
        raise WireError("the document is nested too deeply") from None
    except (ValueError, UnicodeError) as error:
        raise WireError(f"the document is not JSON: {_short(str(error))}") from None


def _number(digits: str) -> None:
    if len(digits) > MOST_DIGITS or not isfinite(float(digits)):
        raise WireError("a number is too large")


def _short(text: str) -> str:
    """Text of others in a message."""
    return escaped(text[:_MOST_QUOTED])
