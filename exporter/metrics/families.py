"""The metric families of scans, of all addresses of a target, and of verdicts."""

from exporter.checks.registry import CHECKS
from exporter.model import POLICY_LABEL, Family, Label, Reason, Severity, Unit
from exporter.probes.registry import PROBES

NOT_SCANNED = "before the first scan"
PROBE = Label("probe", "name of the probe", tuple(probe.name for probe in PROBES))

TARGET_INFO = Family(
    "tls_posture_target_info",
    "Identity and configuration of the target; several policies are joined by commas (as of the last scan)",
    Unit.ONE,
    "never: it is there before the first scan",
    labels=(
        Label("host", "DNS name or address", example="www.example.com"),
        Label("port", "TCP port", example="443"),
        Label("protocol", "what is spoken inside TLS", example="https"),
        Label("starttls", "the dialogue before TLS; empty without one"),
        Label("server_name", "name for SNI and in the certificate; empty without one", example="www.example.com"),
        Label("policy", "names of its policies, joined by commas", example="kopano-checklist"),
        Label("zone", "whose workers scan it; empty without `backend: celery`"),
    ),
)
SCAN_SUCCESS = Family(
    "tls_posture_scan_success",
    "Whether the last scan reached the server over TLS and every mandatory probe answered (as of the last scan)",
    Unit.FLAG,
    NOT_SCANNED,
)
PROBE_SUCCESS = Family(
    "tls_posture_probe_success",
    "Whether the probe could tell (as of the last scan)",
    Unit.FLAG,
    "for a probe that has not run",
    labels=(PROBE,),
)
PROBE_FAILURE = Family(
    "tls_posture_probe_failure",
    "1 for the reason why the probe could not tell (as of the last scan)",
    Unit.ONE,
    "for a probe that could tell in its last run, or has not run",
    labels=(PROBE, Label("reason", "why it could not tell", tuple(Reason), Reason.CONNECT_TIMEOUT)),
)
PROBE_LAST_SUCCESS = Family(
    "tls_posture_probe_last_success_timestamp_seconds",
    "When the probe last could tell: the age of its facts (as of the last scan)",
    Unit.TIME,
    "for a probe of which no facts hold",
    labels=(PROBE,),
    example=1796083200,
)
LAST_SCAN = Family(
    "tls_posture_last_scan_timestamp_seconds",
    "End of the last scan, successful or not (as of the last scan)",
    Unit.TIME,
    NOT_SCANNED,
    example=1796083200,
)
LAST_SUCCESS = Family(
    "tls_posture_last_success_timestamp_seconds",
    "End of the last successful scan (as of the last scan)",
    Unit.TIME,
    "before the first successful scan",
    example=1796083200,
)
DURATION = Family(
    "tls_posture_scan_duration_seconds",
    "Wall time of the last scan (as of the last scan)",
    Unit.SECONDS,
    NOT_SCANNED,
    example=1.5,
)
INTERVAL = Family(
    "tls_posture_scan_interval_seconds",
    "Configured scan interval of the target (as of the last scan)",
    Unit.SECONDS,
    "never: it is there before the first scan",
    example=21600,
)
CONNECTIONS = Family(
    "tls_posture_scan_connections",
    "TCP connections that the last scan opened to the target (as of the last scan)",
    Unit.COUNT,
    NOT_SCANNED,
    example=27,
)
BYTES = Family(
    "tls_posture_scan_bytes",
    "TCP payload that the last scan exchanged with the target, or its proxy (as of the last scan)",
    Unit.BYTES,
    NOT_SCANNED,
    labels=(Label("direction", "seen from the exporter", ("sent", "received")),),
    example=9000,
)
ADDRESSES = Family(
    "tls_posture_addresses",
    "Number of addresses that the host resolves to, with addresses: all; not all of very many are scanned "
    "(as of the last scan)",
    Unit.COUNT,
    "without `addresses: all`, and when the addresses could not be found out",
    example=2,
)
ADDRESSES_DISAGREE = Family(
    "tls_posture_addresses_disagree",
    "1 when a fact known of several addresses of the target is not the same at each, 0 when all are; the report names "
    "them (as of the last scan)",
    Unit.FLAG,
    "when no fact is known of two addresses",
    example=0,
)
CHECK_PASSED = Family(
    "tls_posture_check_passed",
    "Whether the check passes; absent when it is unknown or does not apply (as of the last scan)",
    Unit.FLAG,
    "when the verdict is `unknown` or `not_applicable`",
    labels=(
        POLICY_LABEL,
        Label("check", "name of the check", tuple(check.name for check in CHECKS)),
        Label("severity", "of a failure, by the policy", tuple(Severity)),
    ),
)
_OF_CHECKS = CHECK_PASSED.labels
CHECK_UNKNOWN = Family(
    "tls_posture_check_unknown",
    "1 while it is unknown whether the check passes (as of the last scan)",
    Unit.ONE,
    "when the check passes, fails or does not apply, and before the first scan",
    labels=_OF_CHECKS,
)
CHECK_ACCEPTED = Family(
    "tls_posture_check_accepted",
    "1 while the operator accepts that the check fails, by an exception in the configuration; the check still fails "
    "(as of the last scan)",
    Unit.ONE,
    "when the check does not fail, and when its failure is not accepted today",
    labels=_OF_CHECKS,
)
CHECK_ACCEPTED_UNTIL = Family(
    "tls_posture_check_accepted_until_timestamp_seconds",
    "When the failure of the check is no longer accepted: the midnight (UTC) after the last day of the exception (as "
    "of the last scan)",
    Unit.TIME,
    "when the check does not fail, and when its failure is not accepted today",
    labels=_OF_CHECKS,
    example=1798761600,
)
COMPLIANT = Family(
    "tls_posture_compliant",
    "1 when every applicable check of the policy passes, 0 when one fails, absent when none fails but one is unknown "
    "(as of the last scan)",
    Unit.FLAG,
    "when no check fails and one is unknown, and when no check applies",
    labels=(POLICY_LABEL,),
)

SCAN_FAMILIES = (
    *(TARGET_INFO, SCAN_SUCCESS, PROBE_SUCCESS, PROBE_FAILURE, PROBE_LAST_SUCCESS),
    *(LAST_SCAN, LAST_SUCCESS, DURATION, INTERVAL, CONNECTIONS, BYTES),
)
JUDGEMENT_FAMILIES = (CHECK_PASSED, CHECK_UNKNOWN, CHECK_ACCEPTED, CHECK_ACCEPTED_UNTIL, COMPLIANT)
ADDRESS_FAMILIES = (ADDRESSES, ADDRESSES_DISAGREE)
"""Families about all addresses of a target: the only ones without `address` where the others have it."""
