"""The software that a server says it runs, and whether it is maintained now.

Judged with every report, so that a product becomes unsupported on the day its support ends, not with the next scan. A
server may say something false or nothing. Then nothing is known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from typing_extensions import TypedDict

from exporter.case import Case
from exporter.derived.base import Derivation
from exporter.facts.certificate import CertificateFacts
from exporter.facts.form import DateTime, Key
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import HttpFacts
from exporter.facts.shape import Shape
from exporter.model import Family, Label, Sample, Unit
from exporter.services import greeting_inside_tls
from exporter.software.declared import CONFIGURATION, parse_distribution
from exporter.software.fields import SOURCES, read_fields
from exporter.software.greetings import GREETING, read_greeting
from exporter.software.shown import Shown, plain_text
from exporter.software.support import Support, support

MOST_SHOWN = 4
"""Maximum number of products of one target in metrics.

A server with more shows a list of modules; the most relevant ones are kept.
"""
MOST_READ = 16
"""Maximum number of products of one target that are judged."""
MOST_TEXTS = 8
"""Maximum number of header fields and greetings of one target in the report."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One product and whether it is maintained."""

    shown: Shown
    support: Support


@dataclass(frozen=True, slots=True)
class Software:
    """All that a server says about its software.

    Attributes:
        shown: pairs of source and text, made printable and cut.
        products: the server itself first, where it is shown.
    """

    shown: tuple[tuple[str, str], ...]
    products: tuple[Judged, ...]

    @property
    def server(self) -> Shown | None:
        """The server itself; None where it is not shown."""
        return next((one.shown for one in self.products if one.shown.main), None)

    @property
    def outdated(self) -> tuple[Judged, ...]:
        """Products that are not maintained: their support has ended, or they lack the fixes of their series."""
        return tuple(one for one in self.products if one.support.maintained is False)

    @property
    def open(self) -> tuple[Judged, ...]:
        """Products whose support is not known, though they show a version and their releases are known."""
        return tuple(one for one in self.products if one.support.maintained is None and one.support.judged)

    @property
    def maintained(self) -> bool | None:
        """False when one product is not maintained.

        True when the server itself is known to be maintained, and every other product that can be judged is too.
        """
        if self.outdated:
            return False
        known = any(one.shown.main and one.support.maintained for one in self.products)
        return True if known and not self.open else None

    @property
    def ends(self) -> datetime | None:
        """The earliest known end of support."""
        return min((one.support.ends for one in self.products if one.support.ends is not None), default=None)

    @property
    def for_metrics(self) -> tuple[Judged, ...]:
        """The first few: the server itself, what is not maintained, what can be judged, and the rest."""

        def rank(one: Judged) -> tuple[bool, bool, bool]:
            return not one.shown.main, one.support.maintained is not False, not one.support.judged

        return tuple(sorted(self.products, key=rank)[:MOST_SHOWN])


def _derive(case: Case) -> Software | None:
    http, handshake = case.facts.get(HttpFacts), case.facts.get(HandshakeFacts)
    texts: list[tuple[str, str]] = []
    products: list[Shown] = []
    for response in http.responses if http else ():
        of_interest = [(name, value) for name, value in response.fields if name in SOURCES]
        texts += [(name, plain_text(value)) for name, value in of_interest]
        products += read_fields(of_interest)
    dialogue, greeting = _greeted(case)
    if greeting:
        texts.append((GREETING, plain_text(greeting)))
        products += read_greeting(dialogue, greeting)
    if http is None and handshake is None and not greeting:
        return None
    declared = None if case.target.distribution is None else parse_distribution(case.target.distribution)
    if declared is not None and not any(one.main for one in products):
        products.insert(0, Shown(declared.distribution, declared.release, CONFIGURATION, main=True))
    if http is None and not texts and not products:
        return None
    distinct = _distinct(products)[:MOST_READ]
    judged = tuple(Judged(one, support(one, case.table, case.now, declared)) for one in distinct)
    return Software(tuple(dict.fromkeys(texts))[:MOST_TEXTS], judged)


def _greeted(case: Case) -> tuple[str, str | None]:
    """What the server said first, before TLS or inside it, and in which dialogue."""
    if case.target.starttls:
        handshake = case.facts.get(HandshakeFacts)
        return case.target.starttls, handshake.greeting if handshake else None
    certificate = case.facts.get(CertificateFacts)
    dialogue = greeting_inside_tls(case.target.protocol) or ""
    return dialogue, certificate.greeting if certificate and dialogue else None


def _distinct(products: Sequence[Shown]) -> list[Shown]:
    """Each product once with each of its versions, or without one where none is shown. The server itself comes first.

    The server itself is what the first response names. Errors may come from a proxy in front of it.
    """
    found: dict[tuple[str, str | None], Shown] = {}
    itself = next((one.product for one in products if one.main), None)
    for one in products:
        before = found.get((one.product, one.version), one)
        package = before.package or one.package  # one field may have a mark that another does not have
        found[one.product, one.version] = replace(before, package=package, main=one.product == itself)
    versions = {product for product, version in found if version is not None}
    distinct = [one for one in found.values() if one.version is not None or one.product not in versions]
    return sorted(distinct, key=lambda one: not one.main)


INFO = Family(
    "tls_posture_server_software_info",
    "1 for each product that the server shows, with its version where it shows one; at most four (as of the last scan)",
    Unit.ONE,
    "when the server shows no product",
    labels=(
        Label("product", "name of the product", example="nginx"),
        Label("version", "empty where it shows none", example="1.30.4"),
    ),
)
MAINTAINED = Family(
    "tls_posture_server_software_maintained",
    "0 when a product that is shown lacks fixes: its release series gets none any more, or it is an old version that "
    "no supported distribution carries. 1 when the server itself is maintained and no other is in doubt; absent "
    "without a full version or where a distribution may fix it (as of the last scan)",
    Unit.FLAG,
    "when it is not known",
)
ENDS = Family(
    "tls_posture_server_software_eol_timestamp_seconds",
    "Earliest moment at which the support of a product that is shown ends, or has ended, where known "
    "(as of the last scan)",
    Unit.TIME,
    "when no end of support is known",
    example=1808870400,
)


def _samples(facts: Software) -> Iterator[Sample]:
    for one in facts.for_metrics:
        yield Sample(INFO, 1, {"product": one.shown.product, "version": one.shown.version or ""})
    if facts.maintained is not None:
        yield Sample(MAINTAINED, facts.maintained)
    if facts.ends is not None:
        yield Sample(ENDS, facts.ends.timestamp())


class TextForm(TypedDict):
    """What a server says about its software."""

    source: Annotated[str, Key("header field, or `greeting`")]
    text: Annotated[str, Key("made printable, and cut")]


class NamedForm(TypedDict):
    """A product by its name."""

    product: Annotated[str, Key("nginx, OpenSSL, ...")]
    version: Annotated[str | None, Key("null where it shows none")]


class ProductForm(NamedForm):
    """A product that a server shows, and whether it is maintained."""

    source: Annotated[str, Key("where it is shown: header field, `greeting`, or `configuration`")]
    distribution: Annotated[str | None, Key("whose package it is; null where that is not known")]
    distribution_release: Annotated[str | None, Key("of that distribution; null where that is not known")]
    maintained: Annotated[bool | None, Key("null when that is not known")]
    why: Annotated[str, Key("for a person, in words that go on from the product's name")]
    ends: Annotated[DateTime | None, Key("when support ends, or has ended; null when not known")]


class SoftwareForm(TypedDict):
    """What the server says about its software.

    Texts contain names of machines and times of day, and not every machine gave each answer. So only the server itself
    is compared.
    """

    shown: Annotated[list[TextForm], Key("what it says, the first few texts", compared=False)]
    server: Annotated[NamedForm | None, Key("the server itself; null where it does not show")]
    products: Annotated[list[ProductForm], Key("all products, the server itself first", compared=False)]
    maintained: Annotated[
        bool | None,
        Key(
            "false when one product is not maintained, true when the server itself is and no other is in doubt",
            compared=False,
        ),
    ]
    ends: Annotated[DateTime | None, Key("earliest end of support that is known", compared=False)]


class SoftwareKeys(TypedDict):
    """What follows from the software that a server shows."""

    software: Annotated[SoftwareForm, Key("what the server says that it runs on, and whether that is maintained")]


def _document(facts: Software) -> SoftwareKeys:
    return {
        "software": {
            "shown": [{"source": source, "text": text} for source, text in facts.shown],
            "server": None if facts.server is None else _named(facts.server),
            "products": [_product(one) for one in facts.products],
            "maintained": facts.maintained,
            "ends": None if facts.ends is None else facts.ends.isoformat(),
        }
    }


def _named(one: Shown) -> NamedForm:
    return {"product": one.product, "version": one.version}


def _product(one: Judged) -> ProductForm:
    package = one.shown.package
    return {
        **_named(one.shown),
        "source": one.shown.source,
        "distribution": None if package is None else package.distribution,
        "distribution_release": None if package is None else package.release,
        "maintained": one.support.maintained,
        "why": one.support.why,
        "ends": None if one.support.ends is None else one.support.ends.isoformat(),
    }


DERIVATION = Derivation(
    derive=_derive,
    shape=Shape(Software, SoftwareKeys, _document, (INFO, MAINTAINED, ENDS), samples=_samples, title="Server software"),
)
