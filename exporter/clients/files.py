"""Reads the table of clients that comes with the program."""

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.clients.client import Client, ClientKind, ClientLimits, ClientTable, Source
from exporter.errors import ConfigError
from exporter.model import Protocol
from exporter.nearest import suggestion_or_all
from exporter.quoting import quoted
from exporter.yamlfile import StrictForm, read_document, validate

SHIPPED = Path(str(files("exporter"))) / "data" / "clients.yaml"

_CODES = re.compile(r"[0-9A-F]{4}(?: [0-9A-F]{4})*")


def _read_codes(text: object) -> tuple[int, ...]:
    if not isinstance(text, str) or not _CODES.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a list of codes such as C02B C02F")
    codes = tuple(int(code, 16) for code in text.split())
    if len(set(codes)) < len(codes):
        raise ValueError("names a code twice")
    return codes


_Codes = Annotated[tuple[int, ...], BeforeValidator(_read_codes)]


class _SourceForm(StrictForm):
    date: date
    text: str = Field(min_length=1)


class _ClientForm(StrictForm):
    name: str = Field(min_length=1)
    kind: ClientKind
    current: bool = Field(strict=True)
    source: str
    how: str = ""
    min_protocol: Protocol
    max_protocol: Protocol
    sends_sni: bool = Field(strict=True)
    suites: _Codes
    groups: _Codes | None = None
    shares: _Codes | None = None
    schemes: _Codes | None = None
    min_dh_bits: int | None = None
    max_dh_bits: int | None = None
    min_rsa_bits: int | None = None
    refuses_sha1: bool = Field(default=False, strict=True)
    wants_secure_renegotiation: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.protocols:
            raise ValueError("max_protocol is older than min_protocol")
        if Protocol.TLS1_2 in self.protocols and self.schemes is None:
            raise ValueError("a client with TLSv1.2 must have schemes")
        if Protocol.TLS1_3 in self.protocols and (self.groups is None or self.schemes is None):
            raise ValueError("a client with TLSv1.3 must have groups and schemes (RFC 8446, 9.2)")
        if self.shares is not None and not set(self.shares) <= set(self.groups or ()):
            raise ValueError("shares are for groups that are offered (RFC 8446, 4.2.8)")
        return self

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        known = list(Protocol)
        return tuple(known[known.index(self.min_protocol) : known.index(self.max_protocol) + 1])


class _ClientTableForm(StrictForm):
    as_of: date
    sources: dict[str, _SourceForm]
    clients: dict[str, _ClientForm]

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        for name, client in self.clients.items():
            if client.source not in self.sources:
                raise ValueError(f"{name}: there is no source {quoted(client.source)}")
        return self


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def read_table(path: Path) -> ClientTable:
    """Read a table of clients.

    Raises:
        ConfigError: it cannot be read, or is not a table of clients.
    """
    form, problems = validate(read_document(path), _ClientTableForm)
    if form is None or problems:
        raise ConfigError(problems)
    sources = {name: Source(name, _moment(one.date), one.text) for name, one in form.sources.items()}
    return ClientTable(
        _moment(form.as_of),
        MappingProxyType({name: _client(name, one, sources[one.source]) for name, one in form.clients.items()}),
    )


def _client(name: str, form: _ClientForm, source: Source) -> Client:
    return Client(
        id=name,
        name=form.name,
        kind=form.kind,
        current=form.current,
        source=source,
        how=form.how,
        protocols=form.protocols,
        sends_sni=form.sends_sni,
        suites=form.suites,
        groups=form.groups,
        shares=form.shares,
        schemes=form.schemes,
        limits=ClientLimits(
            min_dh_bits=form.min_dh_bits,
            max_dh_bits=form.max_dh_bits,
            min_rsa_bits=form.min_rsa_bits,
            refuses_sha1=form.refuses_sha1,
            wants_secure_renegotiation=form.wants_secure_renegotiation,
        ),
    )


@lru_cache(maxsize=1)
def shipped_clients() -> ClientTable:
    """The table that comes with the program.

    Raises:
        ConfigError: the table has mistakes, which is a defect of the program.
    """
    return read_table(SHIPPED)


def _known(name: str) -> str:
    known = list(shipped_clients().clients)
    if name not in known:
        hint = suggestion_or_all(name, known, otherwise="docs/clients.md lists the known clients")
        raise ValueError(f"unknown client {quoted(name)}{hint}")
    return name


def _distinct(names: list[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"names {name} twice")
    return names


ClientIds = Annotated[list[Annotated[str, AfterValidator(_known)]], AfterValidator(_distinct)]
"""Ids of clients in a file of the operator: all known, and none twice."""
