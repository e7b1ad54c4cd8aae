"""Prometheus with our alert rules, where it is installed: it scrapes the demonstration and says which alerts fire."""

import asyncio
import contextlib
import json
import re
import shutil
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from exporter.manual import places
from exporter.threads import Pool
from exporter.yamlfile import read_text

Firing = Callable[[], set[str]]
"""Names of the alerts that fire for one target."""
SHORTER = 300
"""`for: 5m` of a rule is a second here."""
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_ANSWER_SECONDS = 5
_THREAD = Pool("demo", 1)
_EACH_SECONDS = 0.5


@asynccontextmanager
async def prometheus(folder: Path, address: str, target: str) -> AsyncIterator[Firing | None]:
    """Run Prometheus on loopback with its files in the folder.

    Args:
        folder: where its files are.
        address: `host:port` that it scrapes each second.
        target: whose alerts are asked for.

    Yields: what says which alerts fire, asked for twice a second; None if it is not installed.
    """
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={_write_config(folder, address)}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the demonstration, which ends it
    )

    fire: set[str] = set()

    async def follow() -> None:
        while True:
            with contextlib.suppress(OSError, ValueError):  # it has not started
                found = await _THREAD.run(partial(_alerts, port), "prometheus")
                of_target = [one["labels"] for one in found if one["labels"].get("target") == target]
                fire.clear()
                fire.update(labels["alertname"] for labels in of_target)
            await asyncio.sleep(_EACH_SECONDS)

    following = asyncio.create_task(follow())
    try:
        yield lambda: fire
    finally:
        following.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # nobody needs its data
        await process.wait()


def _alerts(port: int) -> list[dict[str, Any]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=_ANSWER_SECONDS) as response:
        found: list[dict[str, Any]] = json.load(response)["data"]["alerts"]
    return [one for one in found if one["state"] == "firing"]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _write_config(folder: Path, address: str) -> Path:
    """A configuration with our rules, which are hastened."""
    rules = folder / "rules.yaml"
    rules.write_text(hastened(read_text(places()[0])), encoding="utf-8")
    config = folder / "prometheus.yaml"
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "tls-posture", "static_configs": [{"targets": [address]}]}],
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    return config


def hastened(rules: str) -> str:
    """The text of rules whose groups are evaluated each second and whose alerts fire sooner, `SHORTER` times.

    Only these two durations, `interval:` and `for:`, are changed: all else is as shipped.
    """
    text = re.sub(r"^( +interval:) \w+$", r"\1 1s", rules, flags=re.MULTILINE)
    return re.sub(r"^( +for:) (\d+)([smh])$", _shorter, text, flags=re.MULTILINE)


def _shorter(found: re.Match[str]) -> str:
    return f"{found[1]} {max(1, int(found[2]) * _SECONDS[found[3]] // SHORTER)}s"
