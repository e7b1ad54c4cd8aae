"""Values of the configuration file: durations, ports, names, paths. Each type reports what is wrong with a text."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
)

from exporter.errors import ConfigError
from exporter.files import read_file
from exporter.model import Addresses, IpProtocol, is_ip
from exporter.nearest import not_one_of
from exporter.quoting import quoted, redacted, shown
from exporter.software.files import read_products

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)


_UNITS_SECONDS = (31_536_000, 604_800, 86_400, 3_600, 60, 1, 0.001)


SHORTEST_INTERVAL = timedelta(seconds=1)
"""Far below any sensible interval for a real server. It keeps a typo (`1ms` for `1m`) from becoming a flood."""


LONGEST_GAP = timedelta(seconds=10)
"""A scan makes dozens of connections, so with longer gaps it would not fit into any `scan_timeout`."""


DIRECT = "direct"
"""Value of `proxy_url` for no proxy (the word of PAC files)."""
SYSTEM = "system"
"""The name of the system's trust store."""


OFF = "off"
"""Value of `http.port` for not asking a server without TLS."""


NEVER = "never"
"""Value of `vulnerability_interval` for not trying attacks."""


_LONGEST_SECONDS = 10 * 31_536_000


RESERVED_LABELS = frozenset(
    {
        *("target", "address", "host", "port", "protocol", "starttls", "server_name", "policy", "zone"),
        *("probe", "reason", "cipher_suite", "compliant", "group", "extension", "vulnerability", "client"),
        *("key_algorithm", "key_size", "signature_algorithm", "subject", "issuer", "serial", "fingerprint_sha256"),
        *("product", "version", "tag", "check", "severity", "grade", "capped_by", "direction", "status", "mode"),
        *("instance", "job", "type"),
    }
)
"""Labels that the exporter or Prometheus sets on these series. Labels of the operator must not clash with them."""


def parse_duration(text: object) -> timedelta:
    """A duration in Prometheus' spelling: `90s`, `1h30m`, `2d`.

    Raises:
        ValueError: it is not a duration, is zero, or is longer than ten years.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        raise ValueError(f"{shown(text)} is not a duration; write 30s, 5m, 1h30m or 2d")
    # Floats, because an integer of thousands of digits raises. Such a float is infinite.
    seconds = sum(float(number or 0) * unit for number, unit in zip(match.groups(), _UNITS_SECONDS, strict=True))
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{quoted(text)} is out of range; a duration is longer than zero and at most ten years")
    return timedelta(seconds=seconds)


def _interval(text: object) -> timedelta:
    value = parse_duration(text)
    if value < SHORTEST_INTERVAL:
        raise ValueError(f"{quoted(text)} is too short for an interval; the shortest is {SHORTEST_INTERVAL.seconds}s")
    return value


def _interval_or_never(text: object) -> timedelta | str:
    return NEVER if text == NEVER else _interval(text)


def _gap(text: object) -> timedelta:
    value = timedelta(0) if text == "0s" else parse_duration(text)
    if value > LONGEST_GAP:
        raise ValueError(f"{quoted(text)} is too long for a gap; the longest is {LONGEST_GAP.seconds}s")
    return value


def _port(value: object) -> object:
    if type(value) is not int or not 1 <= value <= 65535:
        raise ValueError(f"{shown(value)} is not a port (1 to 65535)")
    return value


def _port_or_off(value: object) -> object:
    return OFF if value == OFF else _port(value)


def whole_number(least: int, most: int) -> Callable[[object], object]:
    """A validator for a whole number within these limits."""

    def read(value: object) -> object:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{shown(value)} is not a whole number from {least} to {most}")
        return value

    return read


def _address(value: str) -> str:
    if not is_ip(value):
        raise ValueError(f"{quoted(value)} is not an IP address")
    return value


def _label_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name.startswith("__"):
        raise ValueError(f"{quoted(name)} is not a label name")
    if name in RESERVED_LABELS:
        raise ValueError(f"{quoted(name)} is a label that the exporter or Prometheus sets")
    return name


def one_of(kind: type[StrEnum]) -> Callable[[object], object]:
    """A validator for a value of this enumeration."""

    def read(value: object) -> object:
        if value not in list(kind):
            raise ValueError(not_one_of(shown(value), value, list(kind)))
        return kind(str(value))

    return read


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


Interval = Annotated[timedelta, BeforeValidator(_interval)]


IntervalOrNever = Annotated[timedelta | str, BeforeValidator(_interval_or_never)]


Gap = Annotated[timedelta, BeforeValidator(_gap)]


Port = Annotated[int, BeforeValidator(_port), Field(ge=1, le=65535, strict=True)]


PortOrOff = Annotated[int | str, BeforeValidator(_port_or_off)]


Count = Annotated[int, BeforeValidator(whole_number(1, 10_000)), Field(ge=1, le=10_000, strict=True)]


Address = Annotated[str, AfterValidator(_address)]


LabelName = Annotated[str, AfterValidator(_label_name)]


AddressesChoice = Annotated[Addresses, BeforeValidator(one_of(Addresses))]


IpProtocolChoice = Annotated[IpProtocol, BeforeValidator(one_of(IpProtocol))]


PolicyCheck = Callable[[str], str | None]
"""Returns what is wrong with the name (or path) of a policy, None when nothing is."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What validation of a file needs in addition to the schema.

    Attributes:
        folder: the folder that relative paths start from.
        wrong_policies: cached answers of `wrong_policy`, because ten thousand targets can name the same policy.
    """

    folder: Path
    wrong_policy: PolicyCheck
    wrong_policies: dict[str, str | None] = field(default_factory=dict)


def readable_file(text: str, info: ValidationInfo) -> str:
    """The absolute path of a file that can be read; unchanged where it is not known what it is relative to.

    Raises:
        ValueError: it does not exist, cannot be read, or is not a regular file of limited size.
    """
    if not isinstance(info.context, Surroundings):
        return text
    path = absolute_path(text, info.context.folder)
    try:
        read_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"there is no file {path}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return path


def _store_name(name: str) -> str:
    if not name or name == SYSTEM:
        raise ValueError(f"{quoted(name)} cannot be the name of a trust store of your own")
    return name


def _policy(text: str, info: ValidationInfo) -> str:
    """The name of a shipped policy, or the absolute path of a policy file.

    Raises:
        ValueError: there is no such policy, or it has mistakes.
    """
    around = info.context
    if not isinstance(around, Surroundings):
        return text
    policy = absolute_path(text, around.folder) if is_policy_path(text) else text
    if policy not in around.wrong_policies:
        around.wrong_policies[policy] = around.wrong_policy(policy)
    wrong = around.wrong_policies[policy]
    if wrong:
        raise ValueError(wrong)
    return policy


PolicyText = Annotated[str, Field(min_length=1), AfterValidator(_policy)]


StoreName = Annotated[str, AfterValidator(_store_name)]


StoreFile = Annotated[str, Field(min_length=1), AfterValidator(readable_file)]


_PATH = re.compile(r"/[!-\"$-~]*")
"""Characters allowed in a request line (RFC 9112, 3.2.1), without the fragment, which is not sent."""


_TEXT = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""Text of a header field: printable ASCII, no blanks at its ends. Nothing else gets into a request."""


_COMMENT = re.compile(r"[!-'*-\[\]-~](?:[ -'*-\[\]-~]*[!-'*-\[\]-~])?")
"""The same, without characters that would end a comment in User-Agent (RFC 9110, 5.6.5)."""


MAX_HTTP_TEXT = 1000
"""Maximum characters of such a text. Servers accept some thousands in a request line or a field."""


def _fits(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{quoted(value)} is not {what}")
        if len(value) > MAX_HTTP_TEXT:
            raise ValueError(f"is too long; at most {MAX_HTTP_TEXT} characters")
        return value

    return read


RequestPath = Annotated[
    str, AfterValidator(_fits(_PATH, "a path; it starts with / and is printable ASCII without blanks and #"))
]


FieldText = Annotated[
    str, AfterValidator(_fits(_TEXT, "the text of a header field; printable ASCII without blanks at its ends"))
]


Contact = Annotated[
    str, AfterValidator(_fits(_COMMENT, "a contact for User-Agent; printable ASCII without brackets and \\"))
]


def _table_file(text: str, info: ValidationInfo) -> str:
    path = readable_file(text, info)
    if isinstance(info.context, Surroundings):
        try:
            read_products(Path(path))
        except ConfigError as error:
            raise ValueError(str(error.problems[0])) from None
    return path


TableFile = Annotated[str, Field(min_length=1), AfterValidator(_table_file)]


def is_policy_path(policy: str) -> bool:
    """Whether the text names a file rather than a shipped policy."""
    return "/" in policy or policy.endswith((".yaml", ".yml"))


def absolute_path(text: str, folder: Path) -> str:
    """The absolute form of a path in the configuration file, which is relative to the file's folder.

    Raises:
        ValueError: it is not a path.
    """
    return str(folder / checked_path(text))


def checked_path(text: str) -> str:
    """The same text.

    Raises:
        ValueError: it is not a path, or is a URL by its look. Messages about a URL must not show its password.
    """
    if "\0" in text or "://" in text or redacted(text) != text:
        raise ValueError(f"{quoted(text)} is not a path")
    return text
