"""Entries of a policy's lists: names, or cipher suites by their properties. Each can be limited to some days."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from exporter.case import Case
from exporter.judging.expressions import Expression, read_expression
from exporter.judging.names import SuiteName
from exporter.moments import AnyDay, Today
from exporter.tls.suites import BY_ANY_NAME
from exporter.yamlfile import Day


def today(case: Case) -> Today:
    """The day (UTC) of judgement."""
    return case.now.today


T = TypeVar("T")


def _filled(several: tuple[T, ...]) -> tuple[T, ...]:
    if not several:
        raise ValueError("is empty")
    return several


Filled = Annotated[tuple[T, ...], AfterValidator(_filled), Field(json_schema_extra={"minItems": 1})]
"""One or more. pydantic's own `min_length` also calls a list empty whose entries all have mistakes."""


class Dated(BaseModel):
    """Something that counts on some days only, first and last day included.

    Attributes:
        from_: the first day; None for no start.
        until: the last day; None for no end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    from_: Day | None = Field(default=None, alias="from")
    until: Day | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Dated":
        if self.from_ is not None and self.until is not None and self.until < self.from_:
            raise ValueError(f"ends ({self.until}) before it begins ({self.from_})")
        return self

    def counts(self, day: AnyDay) -> bool:
        """Whether it counts on this day."""
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day <= self.until)

    @property
    def days(self) -> str:
        """` from 2027-01-01 until 2031-12-31`, or the part of it that is given."""
        begin = "" if self.from_ is None else f" from {self.from_}"
        return begin if self.until is None else f"{begin} until {self.until}"


def _entry(data: object) -> object:
    """The long form of an entry. A single name, as an entry or in `is`, is the short form."""
    if isinstance(data, str):
        return {"is": [data]}
    if not isinstance(data, dict):
        raise ValueError("is empty" if data is None else "is neither a name nor a mapping with `is`")
    return {**data, "is": [data["is"]]} if isinstance(data.get("is"), str) else data


class Entry(Dated):
    """What all kinds of entries share.

    Attributes:
        source: where the entry is written, if not where the demand is.
    """

    source: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _long_form(cls, data: object) -> object:
        return data if isinstance(data, cls) else _entry(data)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's
        """The schema of the short and long forms."""
        reference = handler(schema)
        form = handler.resolve_ref_schema(reference)
        name = form["properties"]["is"]["items"]
        several = {"type": "array", "items": name, "minItems": 1}
        form["properties"]["is"] = {"title": "Is", "anyOf": [name, several]}
        long = dict(form)
        form.clear()
        form.update({"anyOf": [name, long]})
        return dict(reference)


N = TypeVar("N", bound=str)


class Item(Entry, Generic[N]):
    """One or several names.

    Attributes:
        names: never empty.
    """

    names: Filled[N] = Field(alias="is")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The name in the JSON Schema, such as `ProtocolItem`."""
        titles = (getattr(one, "json_schema", {}).get("title", "") for one in getattr(params[0], "__metadata__", ()))
        return f"{''.join(titles).removesuffix(' name').title()}Item"

    @property
    def text(self) -> str:
        """The entry for a person."""
        return f"{', '.join(self.names)}{self.days}"


class SuiteItem(Entry):
    """Cipher suites by name, or by properties.

    Attributes:
        names: IANA names, also where the policy uses OpenSSL's; empty with `where`.
    """

    names: Filled[SuiteName] = Field(default=(), alias="is")
    where: (
        Annotated[Expression, PlainValidator(read_expression), WithJsonSchema({"type": "string", "minLength": 1})]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "SuiteItem":
        if bool(self.names) == (self.where is not None):
            raise ValueError("has either `is` or `where`")
        return self

    def matches(self, name: str) -> bool | None:
        """Whether the entry includes this suite (IANA name); None where its name does not show its properties."""
        if self.where is None:
            return name in self.names
        suite = BY_ANY_NAME.get(name)
        return None if suite is None else self.where.holds(suite)

    @property
    def text(self) -> str:
        """The entry for a person."""
        what = ", ".join(self.names) if self.where is None else f"suites with {self.where.text}"
        return f"{what}{self.days}"


E = TypeVar("E", bound=Entry)


def in_force(entries: Iterable[E], day: AnyDay) -> tuple[E, ...]:
    """The entries that count on this day."""
    return tuple(entry for entry in entries if entry.counts(day))


def sources(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The sources of these entries, each once."""
    return tuple(dict.fromkeys(entry.source for entry in entries if entry.source is not None))


def names_in_force(entries: Iterable[Item[N]], day: AnyDay) -> tuple[N, ...]:
    """The names of the entries that count on this day, each once."""
    return tuple(dict.fromkeys(name for entry in in_force(entries, day) for name in entry.names))


def naming(entries: Iterable[Item[N]], names: Sequence[str]) -> tuple[Item[N], ...]:
    """The entries that have one of these names."""
    return tuple(entry for entry in entries if any(name in names for name in entry.names))


def listed(entries: Iterable[Item[Any] | SuiteItem]) -> str:
    """The entries for a person: `TLSv1.2 until 2031-12-31, TLSv1.3`; entries with days are kept apart."""
    return ", ".join(f"({entry.text})" if entry.days and "," in entry.text else entry.text for entry in entries)
