"""Run as a program: a loop around sslyze's API in one process, which records its CPU without the start.

Arguments: `same` or `all` commands, a file for the CPU, a file for sslyze's report of the first target, and the targets
as `address:port`.
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sslyze import (
    ScanCommand,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
    ServerScanResultAsJson,
    SslyzeOutputAsJson,
)

from tests.support.servers import HOST

SAME = {
    *(ScanCommand.SSL_2_0_CIPHER_SUITES, ScanCommand.SSL_3_0_CIPHER_SUITES, ScanCommand.TLS_1_0_CIPHER_SUITES),
    *(ScanCommand.TLS_1_1_CIPHER_SUITES, ScanCommand.TLS_1_2_CIPHER_SUITES, ScanCommand.TLS_1_3_CIPHER_SUITES),
    *(ScanCommand.TLS_COMPRESSION, ScanCommand.ELLIPTIC_CURVES),
}
COMMANDS = {"same": SAME, "all": set(ScanCommand)}


def request(place: str, commands: set[ScanCommand]) -> ServerScanRequest:
    """The scan of one target."""
    address, _, port = place.rpartition(":")
    location = ServerNetworkLocation(hostname=HOST, port=int(port), ip_address=address)
    return ServerScanRequest(location, ServerNetworkConfiguration(tls_server_name_indication=HOST), commands)


def main(which: str, notes: Path, report: Path, places: Sequence[str]) -> None:
    """Scan, and write the files."""
    before, begun = time.process_time(), datetime.now(UTC)
    scanner = Scanner()
    scanner.queue_scans([request(place, COMMANDS[which]) for place in places])
    results = list(scanner.get_results())
    notes.write_text(json.dumps({"cpu": time.process_time() - before, "scans": len(results)}))
    first = ServerScanResultAsJson.model_validate(results[0])
    output = SslyzeOutputAsJson(
        server_scan_results=[first],
        invalid_server_strings=[],
        date_scans_started=begun,
        date_scans_completed=datetime.now(UTC),
    )
    report.write_text(output.model_dump_json())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
