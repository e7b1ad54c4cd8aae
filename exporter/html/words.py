"""What pages say instead of the names of states and reasons."""

from collections.abc import Mapping

from exporter.model import Reason
from exporter.summaries import TargetState

STATES: Mapping[TargetState, str] = {
    TargetState.FAIL: "fails",
    TargetState.UNREACHABLE: "unreachable",
    TargetState.UNKNOWN: "unknown",
    TargetState.NEVER_SCANNED: "never scanned",
    TargetState.ACCEPTED: "fails, accepted",
    TargetState.PASS: "passes",
}

REASONS: Mapping[Reason, str] = {
    Reason.DNS_NXDOMAIN: "the name does not exist in the DNS",
    Reason.DNS_ERROR: "the name could not be resolved",
    Reason.CONNECT_REFUSED: "the connection was refused",
    Reason.CONNECT_TIMEOUT: "nothing answered the connection",
    Reason.CONNECT_ERROR: "the connection failed",
    Reason.STARTTLS_REFUSED: "the server refused STARTTLS",
    Reason.STARTTLS_ERROR: "the dialogue before TLS failed",
    Reason.STARTTLS_TIMEOUT: "the server was silent before TLS",
    Reason.NOT_TLS: "the server does not speak TLS",
    Reason.HANDSHAKE_TIMEOUT: "the server was silent in the handshake",
    Reason.HANDSHAKE_ERROR: "the handshake failed",
    Reason.CLIENT_CERTIFICATE_REQUIRED: "the server requires a client certificate",
    Reason.HTTP_TIMEOUT: "no HTTP response came in time",
    Reason.HTTP_ERROR: "there was no valid HTTP response",
    Reason.DEADLINE_EXCEEDED: "the time of the scan ended",
    Reason.WORKER_CRASHED: "the process that tries attacks ended",
    Reason.LIBRARY_UNAVAILABLE: "the library that tries attacks cannot be loaded",
    Reason.BLOCKED: "the server blocked the scan",
    Reason.NO_WORKER: "no worker of its zone scanned it",
    Reason.INTERNAL: "an error of the exporter or its machine",
}
