"""A server is a different one if what identifies it differs. Values that change with each connection do not count."""

from dataclasses import replace

import pytest

from exporter.facts.handshake import HandshakeFacts
from exporter.facts.signature import Signature, changed, signature
from exporter.model import Facts
from tests.support.facts import handshake, http, showing
from tests.support.targets import NOW, make_target

POSTFIX = "220 mail.test.example ESMTP Postfix (Debian/GNU)"
EXIM = "220 mail.test.example ESMTP Exim 4.96 Sun, 22 Nov 2026 12:00:00 +0000"


def greeted(text: str) -> Signature:
    facts: HandshakeFacts = replace(handshake(), greeting=text)
    return signature(Facts().with_part(facts, NOW), make_target(25, protocol="smtp", starttls="smtp"))


@pytest.mark.parametrize(
    ("before", "now", "another"),
    [
        (POSTFIX, EXIM, True),
        (EXIM, EXIM.replace("4.96", "4.98"), True),
        (EXIM, EXIM.replace("12:00:00", "13:30:00"), False),
        (EXIM, "220 at your service", False),
    ],
)
def test_a_greeting_counts_by_product_and_version(before: str, now: str, another: bool) -> None:
    assert changed(greeted(before), greeted(now)) is another


def served(value: str | None) -> Signature:
    seen = http() if value is None else showing(http(), ("server", value))
    return signature(Facts().with_part(seen, NOW), make_target())


@pytest.mark.parametrize(
    ("before", "now", "another"),
    [
        ("nginx/1.18.0", "nginx/1.26.3", True),
        ("nginx", "Apache", True),
        ("nginx", "nginx", False),
        ("nginx", None, False),
    ],
)
def test_a_server_field_counts_by_product_and_version(before: str, now: str | None, another: bool) -> None:
    assert changed(served(before), served(now)) is another
