"""The domains that identify a CA in CAA records: the table in `exporter/data`, by organisation of the issuer."""

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
        organizations: values of O in the subjects of its certificates.
        domains: its issuer domains in CAA records, in lower case.
        source: keys of the table's `sources`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    organizations: list[str] = Field(min_length=1)
    domains: list[str] = Field(min_length=1)
    source: list[str] = Field(min_length=1)


class Table(BaseModel):
    """The complete file."""

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
    """Remove case and punctuation, which differ between certificates of one CA."""
    return " ".join(re.findall(r"\w+", organization.casefold()))


@lru_cache(maxsize=1024)
def authority_of(issuer: str) -> KnownAuthority | None:
    """The CA with this issuer name (RFC 4514); None if it is unknown or the name has several organisations."""
    try:
        attributes = x509.Name.from_rfc4514_string(issuer).get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except ValueError:
        return None
    known = _by_organization()
    found = {_plain(str(attribute.value)) for attribute in attributes}
    return known.get(found.pop()) if len(found) == 1 else None
