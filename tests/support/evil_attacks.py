"""Attacks that break their worker, loaded instead of the real ones. The name of the server selects the fault."""

from collections.abc import Mapping
from typing import Any

from exporter.workers.child import Network
from tests.support.evil_jobs import JOBS as EVIL


def _harmless(_arguments: Mapping[str, Any], _network: Network) -> object:
    return {"vulnerable": False, "detail": ""}


def _as_the_name_says(arguments: Mapping[str, Any], network: Network) -> object:
    """`segfault.example` makes the worker crash, and so on. The arguments of the job are not used."""
    name = arguments["server_name"].split(".")[0]
    if name == "unknown":
        return {"vulnerable": None, "detail": "who knows"}
    job = EVIL.get(name)
    return job({}, network) if job else _harmless(arguments, network)


def _nonsense(_arguments: Mapping[str, Any], _network: Network) -> object:
    return {"vulnerable": "perhaps", "detail": 5}


JOBS = {
    "ccs_injection": _as_the_name_says,
    "client_renegotiation": _harmless,
    "heartbleed": _nonsense,
    "robot": _harmless,
}
