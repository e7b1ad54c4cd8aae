"""By which domains CAs go in CAA records: the table in `exporter/data`, looked up by the issuer's organisation."""

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, ConfigDict, Field

from exporter.errors import ConfigError
from exporter.yamlfile import read_document, validate

FILE = Path(str(files("exporter"))) / "data" / "caa-identities.yaml"


class KnownAuthority(BaseModel):
    """One CA.

    Attributes:
        organizations: what stands in the O of its certificates.
        domains: what CAA records call it, in lower case.
        source: keys of the table's `sources`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    organizations: list[str] = Field(min_length=1)
    domains: list[str] = Field(min_length=1)
    source: list[str] = Field(min_length=1)


class Table(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: str
    sources: dict[str, str]
    authorities: list[KnownAuthority]


@lru_cache(maxsize=1)
def table() -> Table:
    """The table that comes with the program.

    Raises:
        ConfigError: it has mistakes.
    """
    parsed, problems = validate(read_document(FILE), Table)
    if problems or parsed is None:
        raise ConfigError(problems)
    return parsed


@lru_cache(maxsize=1)
def _by_organization() -> dict[str, KnownAuthority]:
    return {_plain(name): authority for authority in table().authorities for name in authority.organizations}


def _plain(organization: str) -> str:
    """Without case and punctuation, in which certificates of one CA differ."""
    return " ".join(re.findall(r"\w+", organization.casefold()))


@lru_cache(maxsize=1024)
def authority_of(issuer: str) -> KnownAuthority | None:
    """The CA with this name (RFC 4514) as issuer; None where it is not known, or the name says several things."""
    try:
        attributes = x509.Name.from_rfc4514_string(issuer).get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except ValueError:
        return None
    known = _by_organization()
    found = {_plain(str(attribute.value)) for attribute in attributes}
    return known.get(found.pop()) if len(found) == 1 else None
