"""The page about clients: its table is current, and it explains every reason."""

import re

from exporter.clients.files import shipped_clients
from exporter.simulation.terms import Obstacle
from tools.write_clients import FILE, document

TEXT = FILE.read_text(encoding="utf-8")


def test_its_table_is_current() -> None:
    """Made by tools/write_clients.py."""
    assert document(TEXT) == TEXT


def test_it_lists_every_client() -> None:
    assert re.findall(r"^\| `([^`]+)` \| [^|]+ \| (?:system|browser|mail|library) \|", TEXT, re.MULTILINE) == list(
        shipped_clients().clients
    )


def test_it_explains_every_reason() -> None:
    explained = {name for row in re.findall(r"^\| (`[a-z0-9_`, ]+`) \|", TEXT, re.MULTILINE) for name in row.split("`")}
    assert {str(obstacle) for obstacle in Obstacle} <= explained


def test_nothing_else_of_it_is_touched() -> None:
    assert document(TEXT.replace("66 clients", "some clients")) == TEXT
