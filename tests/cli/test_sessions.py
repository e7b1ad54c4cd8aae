"""What `scan` prints on a terminal, compared with what is recorded in docs/sessions; times and dates differ."""

import asyncio
import re

import pytest

from tools.sessions import FLEETS, FOLDER, WIDTHS, sessions


def shape(session: str) -> str:
    """The session without what differs between two recordings: times, dates, and how far the scans were when."""
    lines = [line for line in session.split("\n") if not line.startswith("(standard error)")]
    text = re.sub(r"\b\d+ connections, \d+\.\d s", "N connections, S s", "\n".join(lines))
    return re.sub(r"\b\d{4}-\d\d-\d\d\b", "DATE", text)


async def recorded(names: list[str]) -> dict[str, str]:
    return {name: text async for name, text in sessions(names)}


@pytest.mark.real
@pytest.mark.timeout(600)
def test_sessions_are_as_recorded() -> None:
    again = asyncio.run(recorded(["5-targets-80", "1-target-unreachable-piped"]))
    for name, text in again.items():
        assert shape(text) == shape((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))
    assert again["5-targets-80"].count("(standard error) Scanning") >= 2
    assert "(standard error)" not in again["1-target-unreachable-piped"]


def test_every_session_is_there_and_begins_with_its_result() -> None:
    names = {f"{fleet}-{width}" for fleet in FLEETS for width in WIDTHS}
    assert {file.stem for file in FOLDER.glob("*.txt")} == names
    for name in names:
        text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith(("#", "$", "(standard error)"))]
        assert re.match(r"\d+ targets: |\S+  (DOES NOT COMPLY|unreachable)  ", lines[0]), name
        assert "…" not in text
        assert [line for line in text.splitlines() if line != line.rstrip()] == []
