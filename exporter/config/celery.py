"""Scans by workers on other machines: the broker, and the zones with their keys. Worker and exporter read the same."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from exporter.config.section import Section
from exporter.config.values import Duration, StoreFile, Surroundings
from exporter.credentials import read_chain_file, read_credentials, read_key_file
from exporter.files import read_file
from exporter.model import is_ip
from exporter.nearest import not_one_of
from exporter.quoting import quoted

BACKENDS = ("local", "celery")
"""Values of `backend`: scans by this process, or by Celery's workers."""
DEFAULT_ZONE = "default"
_ZONE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORTS = {"amqps": 5671, "rediss": 6379, "amqp": 5672, "redis": 6379}
LEAST_KEY_BYTES = 32
"""As long as the output of SHA-256, which RFC 2104 (section 3) recommends for HMAC."""
LONGEST_START = timedelta(hours=1)
_IN_FILE = "must not have a user or a password: write them into username and a password_file"


def _zone(text: str) -> str:
    if not _ZONE.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not the name of a zone (a to z, 0 to 9 and -, at most 63)")
    return text


ZoneName = Annotated[str, AfterValidator(_zone)]


class BrokerTls(Section):
    """How TLS to the broker works. Its certificate has to be valid for the host of `broker_url`."""

    ca_file: StoreFile | None = None
    cert_file: StoreFile | None = None
    key_file: StoreFile | None = None

    @model_validator(mode="after")
    def _belong_together(self, info: ValidationInfo) -> Self:
        if (self.cert_file is None) is not (self.key_file is None):
            raise ValueError("cert_file and key_file need each other")
        if isinstance(info.context, Surroundings):
            if self.ca_file:
                read_chain_file(self.ca_file)
            if self.cert_file and self.key_file:
                read_credentials(self.cert_file, self.key_file)
                read_key_file(self.key_file)
        return self


class ZoneSettings(Section):
    """One zone: `key_file` has the key that signs its tasks and results."""

    key_file: StoreFile

    @field_validator("key_file")
    @classmethod
    def _long_enough(cls, value: str, info: ValidationInfo) -> str:
        if isinstance(info.context, Surroundings) and len(read_key(value)) < LEAST_KEY_BYTES:
            raise ValueError(f"{value} has fewer than {LEAST_KEY_BYTES} bytes; `openssl rand -hex 32` makes a key")
        return value


def read_key(path: str) -> bytes:
    """The key in a file: its content without white space around it.

    Raises:
        OSError: it cannot be read.
    """
    return read_file(path).strip()


class CelerySettings(Section):
    """The broker, and the zones."""

    broker_url: str
    username: str | None = Field(default=None, min_length=1)
    password_file: StoreFile | None = None
    tls_config: BrokerTls = Field(default_factory=BrokerTls)
    start_within: Duration = timedelta(minutes=2)
    zones: dict[ZoneName, ZoneSettings] = Field(min_length=1)

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        try:
            url = urlsplit(value)
            host, _ = url.hostname, url.port
        except ValueError:
            raise ValueError("is not a URL such as amqps://broker.example.com:5671") from None
        if url.scheme not in _PORTS:
            raise ValueError(not_one_of(quoted(url.scheme), url.scheme, tuple(_PORTS)))
        if "@" in url.netloc:
            raise ValueError(_IN_FILE)
        if not host or url.query or url.fragment:
            raise ValueError("is not a URL such as amqps://broker.example.com:5671")
        if url.scheme in {"amqp", "redis"} and not _is_local(host):
            raise ValueError(f"{url.scheme} has no TLS, which is for a broker on this machine only; use {url.scheme}s")
        return value

    @field_validator("start_within")
    @classmethod
    def _not_too_long(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= LONGEST_START:
            raise ValueError("is out of range; it is from 1s to 1h")
        return value

    @model_validator(mode="after")
    def _whole_credentials(self) -> Self:
        if self.username is not None and self.password_file is None:
            raise ValueError("username needs a password_file")
        return self

    @model_validator(mode="after")
    def _verifies(self) -> Self:
        scheme = urlsplit(self.broker_url).scheme
        if scheme in {"amqps", "rediss"} and self.tls_config.ca_file is None:
            raise ValueError("tls_config.ca_file is required: the authorities of the broker's certificate")
        return self


def _is_local(host: str) -> bool:
    return host == "localhost" or (is_ip(host) and ip_address(host).is_loopback)
