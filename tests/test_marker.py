"""A test without the marker `real` can start no server and no tool of the system."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TEST = """
import asyncio
import subprocess
import sys

import pytest

from tests.support.processes import running


def test_server(tmp_path):
    with running([sys.executable, "-c", "pass"], tmp_path / "log"):
        pass


def test_tool():
    subprocess.run(["/usr/bin/env", "true"], check=True)


def test_tool_in_a_loop():
    async def run():
        await (await asyncio.create_subprocess_exec("env", "true")).wait()

    asyncio.run(run())


@pytest.fixture(scope="module")
def tool():
    subprocess.run(["env", "true"], check=True)


def test_fixture(tool):
    pass


@pytest.mark.real
def test_marked(tmp_path):
    test_server(tmp_path)
    test_tool()


def test_python():
    subprocess.run([sys.executable, "-c", "pass"], check=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("inner") / "test_inner.py"
    file.write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, str(file)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    return done.stdout


@pytest.mark.parametrize("name", ["server", "tool", "tool_in_a_loop", "fixture"])
def test_an_unmarked_test_that_starts_a_program_fails(outcomes: str, name: str) -> None:
    assert f"::test_{name} starts " in outcomes
    assert f"::test_{name}\n" not in outcomes


@pytest.mark.parametrize("name", ["marked", "python"])
def test_one_that_is_marked_or_starts_python_passes(outcomes: str, name: str) -> None:
    assert f"::test_{name}\n" in outcomes
