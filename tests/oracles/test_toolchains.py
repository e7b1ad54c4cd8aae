"""Stacks that are built here: missing or broken ones are reported, and only their servers are left out."""

from contextlib import nullcontext
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from oracles import runs, toolchains
from oracles.servers import SERVERS, Server
from oracles.toolchains import Toolchain, unavailable


def server(name: str, toolchain: Toolchain | None) -> Server:
    return Server(name, lambda _folder, _made: nullcontext(1), toolchain=toolchain)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `here` of sources, and the one that things are built in."""
    monkeypatch.setattr(toolchains, "STACKS", tmp_path)
    monkeypatch.setattr(toolchains, "BUILT", tmp_path / "built")
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_a_program_that_is_not_there_is_named() -> None:
    assert unavailable(Toolchain("here", ("sh", "no-such-program"))) == "no-such-program not installed"


def test_what_needs_no_build_is_there_with_its_programs() -> None:
    assert unavailable(Toolchain("here", ("sh",))) is None


def test_a_build_runs_in_the_folder_of_its_sources(sources: Path) -> None:
    assert unavailable(Toolchain("here", ("sh",), ("sh", "-c", "pwd > done"))) is None
    assert (sources / "done").read_text().strip() == str(sources)


def test_a_build_that_fails_is_told_with_what_it_printed(sources: Path) -> None:
    why = unavailable(Toolchain(sources.name, ("sh",), ("sh", "-c", "echo no such crate; exit 101")))
    assert why == "stacks/here cannot be built: no such crate"


def test_servers_that_cannot_run_are_left_out_by_name() -> None:
    absent = server("exotic", Toolchain("here", ("no-such-program",)))
    file = StringIO()
    present, left_out = runs.present([server("plain", None), absent], Console(file=file, width=160))
    assert [one.name for one in present] == ["plain"]
    assert left_out == {"exotic": "no-such-program not installed"}
    assert "exotic: no-such-program not installed" in file.getvalue()


def test_every_toolchain_has_its_sources() -> None:
    needed = {one.toolchain for one in SERVERS if one.toolchain}
    assert all((toolchains.STACKS / one.folder).is_dir() for one in needed)
