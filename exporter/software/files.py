"""Reads the table of releases: the one that comes with the program, and files in the form of endoflife.date's API.

It accepts three kinds of documents of the API: a product of version 0 (`/api/nginx.json`, an array of cycles), a
product of version 1 (`/api/v1/products/nginx`), and all of them (`/api/v1/products/full`). Nothing is fetched.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationError

from exporter.errors import ConfigError, Problem
from exporter.files import read_dated_file
from exporter.nearest import suggestion_or_all
from exporter.quoting import quoted
from exporter.software.packages import DEBIAN
from exporter.software.support import Carried, End, PartOf, Product, SupportTable
from exporter.yamlfile import StrictForm, read_document, validate

M = TypeVar("M", bound=BaseModel)

_OTHERWISE = MappingProxyType({"alpine-linux": "alpine", "vinyl-cache": "varnish"})
"""Names of the API for which we have a shorter name."""

SHIPPED = Path(str(files("exporter"))) / "data" / "server-eol.yaml"


def _read_end(value: object) -> object:
    if isinstance(value, bool | None):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{quoted(value)} is neither a date such as 2026-11-22 nor true or false") from None


def _read_name(value: object) -> object:
    return str(value) if type(value) in {int, float} else value  # 12 and 3.8 instead of "12" and "3.8"


_Date = Annotated[End, BeforeValidator(_read_end)]
_MaybeDate = Annotated[End | None, BeforeValidator(_read_end)]
_Name = Annotated[str, BeforeValidator(_read_name), Field(min_length=1)]
_MaybeName = Annotated[str | None, BeforeValidator(_read_name)]


# --- the shipped table ------------------------------------------------------------------------------------------------


class _CarriedForm(StrictForm):
    version: str
    by: str
    release: str
    follows: bool = False


class _ReleaseForm(StrictForm):
    since: date
    end: _Date
    newest: str


class _ProductForm(StrictForm):
    source: str
    releases: dict[str, _ReleaseForm | _Date]
    carried: list[_CarriedForm] = Field(default_factory=list)
    carriers_known: list[str] = Field(default_factory=list)

    def product(self, as_of: datetime) -> Product:
        """The same product, as it was at that time."""
        detailed = {cycle: one for cycle, one in self.releases.items() if isinstance(one, _ReleaseForm)}
        return Product(
            as_of,
            MappingProxyType(
                {cycle: one.end if isinstance(one, _ReleaseForm) else one for cycle, one in self.releases.items()}
            ),
            tuple(Carried(one.version, one.by, one.release, one.follows) for one in self.carried),
            frozenset(self.carriers_known),
            MappingProxyType({cycle: one.since for cycle, one in detailed.items()}),
            MappingProxyType({cycle: one.newest for cycle, one in detailed.items()}),
        )


class _PartForm(StrictForm):
    product: str
    releases: dict[str, list[str]]


class _SupportTableForm(StrictForm):
    as_of: date
    license: str
    products: dict[str, _ProductForm]
    part_of: dict[str, _PartForm]


@lru_cache(maxsize=1)
def shipped_table() -> SupportTable:
    """The table that comes with the program.

    Raises:
        ConfigError: the table has mistakes, which is a defect of the program.
    """
    document = read_document(SHIPPED)
    form, problems = validate(document, _SupportTableForm)
    if form is None or problems:
        raise ConfigError(problems)
    as_of = datetime.combine(form.as_of, time(), UTC)
    products = {name: one.product(as_of) for name, one in form.products.items()}
    parts = {
        name: PartOf(one.product, MappingProxyType({key: tuple(those) for key, those in one.releases.items()}))
        for name, one in form.part_of.items()
    }
    return SupportTable(MappingProxyType(products), MappingProxyType(parts))


# --- endoflife.date's API ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Release:
    """One release of a product, from either version of the API."""

    cycle: str
    end: End
    since: date | None
    newest: str | None


class _Loose(BaseModel):
    """A form that ignores unknown keys, because the API may add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _CycleV0(_Loose):
    cycle: _Name
    eol: _Date
    extended: _MaybeDate = Field(default=None, alias="extendedSupport")
    since: date | None = Field(default=None, alias="releaseDate")
    latest: _MaybeName = None

    def release(self, product: str) -> _Release:
        """The same release, of this product."""
        return _Release(self.cycle, _chosen(product, self.eol, self.extended), self.since, self.latest)


class _CyclesV0(RootModel[list[_CycleV0]]):
    pass


class _LatestV1(_Loose):
    name: _Name


class _ReleaseV1(_Loose):
    name: _Name
    ended: bool = Field(alias="isEol")
    end: _MaybeDate = Field(default=None, alias="eolFrom")
    extended: _MaybeDate = Field(default=None, alias="eoesFrom")
    since: date | None = Field(default=None, alias="releaseDate")
    latest: _LatestV1 | None = None

    def release(self, product: str) -> _Release:
        """The same release, of this product."""
        end = _chosen(product, self.ended if self.end is None else self.end, self.extended)
        return _Release(self.name, end, self.since, self.latest.name if self.latest else None)


class _ProductV1(_Loose):
    name: str
    releases: list[_ReleaseV1]


class _OneV1(_Loose):
    generated_at: datetime | None = None
    result: _ProductV1


class _AllV1(_Loose):
    generated_at: datetime | None = None
    result: list[_ProductV1]


def load_table(paths: Sequence[str] = ()) -> SupportTable:
    """The shipped table, with its products replaced by those of these files; a later file has precedence.

    Raises:
        ConfigError: a file cannot be read, has none of the forms, or has no product that is known.
    """
    table = shipped_table()
    products = dict(table.products)
    for path in paths:
        for name, product in read_products(Path(path)).items():
            ours = table.products[name]
            products[name] = replace(product, carried=ours.carried, carriers_known=ours.carriers_known)
    return replace(table, products=MappingProxyType(products))


def read_products(path: Path) -> dict[str, Product]:
    """The known products of one file in a form of the API; at least one.

    Raises:
        ConfigError: as `load_table`.
    """
    data, changed = _read_json(path)
    match data:
        case list():
            cycles = _read(path, _CyclesV0, data).root
            name = path.stem.lower()
            found = {name: [one.release(name) for one in cycles]}
            as_of = changed
        case {"result": list()}:
            everything = _read(path, _AllV1, data)
            found = {one.name: [each.release(one.name) for each in one.releases] for one in everything.result}
            as_of = everything.generated_at or changed
        case _:
            single = _read(path, _OneV1, data)
            found = {single.result.name: [one.release(single.result.name) for one in single.result.releases]}
            as_of = single.generated_at or changed
    found = {_OTHERWISE.get(name, name): releases for name, releases in found.items()}
    known = shipped_table().products
    recognised = found.keys() & known.keys()
    if not recognised:
        raise ConfigError([Problem(str(path), 1, 1, "", _unrecognised(next(iter(found), ""), list(known)))])
    as_of = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
    return {name: _product(as_of, found[name]) for name in recognised}


def _product(as_of: datetime, releases: Sequence[_Release]) -> Product:
    return Product(
        as_of,
        MappingProxyType({one.cycle.lower(): one.end for one in releases}),
        since=MappingProxyType({one.cycle.lower(): one.since for one in releases if one.since is not None}),
        newest=MappingProxyType({one.cycle.lower(): one.newest for one in releases if one.newest is not None}),
    )


def _read_json(path: Path) -> tuple[Any, datetime]:
    """The document, and when the file was written."""
    try:
        data, written_at = read_dated_file(path)
        return json.loads(data.decode("utf-8")), datetime.fromtimestamp(written_at, UTC)
    except OSError as error:
        problem = Problem(str(path), 1, 1, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        problem = Problem(str(path), 1, 1, "", "is not UTF-8")
    except json.JSONDecodeError as error:
        problem = Problem(str(path), error.lineno, error.colno, "", f"not valid JSON: {error.msg}")
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        problem = Problem(str(path), 1, 1, "", "not valid JSON: nested too deep, or a number is too long")
    raise ConfigError([problem])


def _read(path: Path, form: type[M], data: object) -> M:
    """Validate the data against this form.

    If that fails, the file is read again as YAML, which gives the lines of the problems.
    """
    try:
        return form.model_validate(data)
    except ValidationError as error:
        problems = validate(read_document(path), form)[1]
        if not problems:  # YAML accepts it, because JSON parses some values differently; so the problems have no line
            problems = [Problem(str(path), 1, 1, ".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise ConfigError(problems) from error


def _chosen(product: str, end: End, extended: End | None) -> End:
    """Debian's extended support is LTS, which is free for everyone; that of other products is sold."""
    return extended if product == DEBIAN and type(extended) is date else end


def _unrecognised(name: str, known: list[str]) -> str:
    return f"is about {quoted(name)}, which is not a known product{suggestion_or_all(name, known)}"
