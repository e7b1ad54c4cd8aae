"""The API of a daemon with a real server, as its own description says: requests that schemathesis makes of it."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from tests.support.processes import free_port, running, wait_for
from tests.support.servers import HOST, SEED_NGINX, make_pki, nginx

pytestmark = pytest.mark.real

NOT_ASKED = {
    "positive_data_acceptance": "selectors, times and cursors are text of which not all is accepted",
    "max_response_time": "the machine may be busy",
}
ASKED = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in NOT_ASKED]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A daemon with one target that was scanned, one that cannot be reached, and POST allowed."""
    folder = tmp_path_factory.mktemp("api")
    pki, port, file = make_pki(folder), free_port(), folder / "exporter.yaml"
    with nginx(folder, SEED_NGINX, [pki.ecdsa, pki.rsa]) as server:
        file.write_text(f"""
global:
  scan_interval: 1h
  timeout: 1s
  vulnerability_interval: never
  ca_file: {pki.bundle}
  resolver: {{nameservers: [127.0.0.1], port: 9}}
targets:
  - {{name: www/1, host: {HOST}, port: {server}, connect_address: 127.0.0.1, labels: {{team: web}}}}
  - {{name: none, host: none.{HOST}, port: {free_port()}, connect_address: 127.0.0.1}}
""")
        command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}", "--web.enable-lifecycle"]
        command += [f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={folder / 'data'}"]
        with running(command, folder / "exporter.log", port=port):
            base = f"http://127.0.0.1:{port}"
            wait_for("both scans", 120, lambda: len(scanned(base)) == 2)
            yield base


def get(url: str, *, method: str = "GET") -> tuple[int, Any, Any]:
    """Status, document and header fields."""
    request = urllib.request.Request(url, method=method)  # noqa: S310 - loopback, http
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
            return response.status, json.loads(response.read()), response.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def scanned(base: str) -> list[str]:
    status, document, _ = get(f"{base}/api/v1/targets")
    if status == 503:  # it starts
        return []
    return [one["name"] for one in document["data"]["targets"] if one["scanned_at"] is not None]


def test_a_scan_is_asked_for_and_its_report_comes(url: str) -> None:
    status, document, fields = get(f"{url}/api/v1/targets/www%2F1/scan", method="POST")
    assert status == 202
    assert document["data"]["state"] in {"queued", "running"}
    done = wait_for("the scan", 120, lambda: _ended(f"{url}{fields['Location']}"))
    assert (done["state"], done["success"]) == ("done", True)
    assert done["reports"][0]["facts"]["protocols"]["TLSv1.3"] is True
    assert get(f"{url}/api/v1/targets/www%2F1/scan", method="POST")[0] == 429


def _ended(url: str) -> Any:  # noqa: ANN401 - any JSON
    data = get(url)[1]["data"]
    return data if data["state"] in {"done", "failed"} else None


def test_a_target_that_cannot_be_reached_is_scanned_and_nothing_is_known_of_it(url: str) -> None:
    (one,) = get(f"{url}/api/v1/targets?match[]=%7Btarget=%22none%22%7D")[1]["data"]["targets"]
    assert one["success"] is False
    assert one["grade"] is None
    assert one["policies"] == {"kopano-checklist": None}


def test_no_request_leads_to_an_error_of_the_server_or_to_an_answer_that_is_not_described(url: str) -> None:
    """A short form; HYPOTHESIS_PROFILE=long makes it long."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == 11, "all but the description itself"
    for operation in operations:
        check(operation, GenerationMode.POSITIVE)
        if any(one["in"] == "query" for one in operation.definition.raw["parameters"]):
            check(operation, GenerationMode.NEGATIVE)


KNOWN = {"/api/v1/policies/{name}": "kopano-checklist", "/api/v1/scans/{id}": "none"}


def check(operation: Any, mode: GenerationMode) -> None:  # noqa: ANN401 - schemathesis has no type for both kinds
    """Requests to one path and method; about half of them for a target or policy that exists."""

    @seed(1)
    @settings(
        max_examples=max(10, settings().max_examples // 8),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), exists=st.booleans())
    def ask(case: Any, exists: bool) -> None:  # noqa: ANN401 - as above
        if exists:
            case.path_parameters = {name: KNOWN.get(operation.path, "www/1") for name in case.path_parameters or {}}
        case.call_and_validate(checks=ASKED)

    ask()
