"""What the table of odd heads says of curl, by curl itself."""

import asyncio
import json
import subprocess

import pytest

from tests.support.heads import CURL_8_14, ODD_HEADS
from tests.support.plain import plain_server
from tests.support.processes import find_program

pytestmark = pytest.mark.real

HEAD_READ = {0, 18}
"""curl(1): success, and a body that is shorter than was said."""


async def _ask_curl(url: str) -> str | None:
    """Its Strict-Transport-Security; None where it refuses the response."""
    options = [
        "--silent",
        "--max-time",
        "10",
        "--output",
        "/dev/null",
        "--write-out",
        "%{header_json}",
        "--noproxy",
        "*",
    ]
    curl = await asyncio.create_subprocess_exec(find_program("curl"), "--disable", *options, url, stdout=-1)
    said, _ = await curl.communicate()
    if curl.returncode not in HEAD_READ:
        return None
    return ", ".join(json.loads(said.decode("latin-1"), strict=False).get("strict-transport-security", []))


async def _ask_all() -> list[str | None]:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(ODD_HEADS[int(request.split()[1][1:])].head)
        await writer.drain()
        writer.close()

    async with plain_server(handler) as port:
        return [await _ask_curl(f"http://127.0.0.1:{port}/{number}") for number in range(len(ODD_HEADS))]


def _curl_version() -> tuple[int, ...]:
    shown = subprocess.run([find_program("curl"), "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(part) for part in shown.split()[1].split("."))


def test_curl_reads_odd_heads_as_the_table_has_it() -> None:
    found = dict(zip([odd.name for odd in ODD_HEADS], asyncio.run(_ask_all()), strict=True))
    newer = CURL_8_14 if _curl_version() >= (8, 14) else {}
    assert found == {odd.name: odd.curl for odd in ODD_HEADS} | newer
