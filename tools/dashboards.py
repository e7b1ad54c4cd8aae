"""Writes the Grafana dashboards under `grafana/`: `python tools/dashboards.py`.

Classic dashboard JSON, which Grafana 10 to 13 import. Plain dicts: the format is public and stable, a builder library
would be one more thing to keep in step with it. The output depends on this file alone, so a test can compare.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Json = dict[str, object]

FOLDER = Path(__file__).resolve().parent.parent / "grafana"
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 39
"""Of Grafana 10.4: newer ones migrate it, older ones of the 10 line take it as well."""

GRID_WIDTH = 24
RED, YELLOW, GREEN, BLUE = "red", "yellow", "green", "blue"

KEY = "job, instance, target, address"
"""What is judged on its own: a target, or each of its addresses. Its name is unique within one exporter only."""
SELECTED = 'job=~"$job", instance=~"$instance"'


# --- Queries ---------------------------------------------------------------------------------------------------------


def series(metric: str, *matchers: str) -> str:
    """The metric, of the exporters chosen above the panels."""
    return f"{metric}{{{', '.join([SELECTED, *matchers])}}}"


def per_target(metric: str, function: str = "min") -> str:
    """One value a target, the operator's own labels dropped."""
    return f"{function} by ({KEY}) ({series(metric)})"


def without(left: str, right: str) -> str:
    """The targets on the left that have no sample on the right: unknown is an absent sample, never a value."""
    return f"{left} unless on ({KEY}) {right}"


def count(condition: str, among: str) -> str:
    """How many meet the condition; 0 only while `among` has samples, so that no data never reads as zero."""
    return f"count({condition}) or 0 * count({among})"


TARGETS = series("tls_posture_target_info")
CHECKS = series("tls_posture_check_passed")
COMPLIANT = per_target("tls_posture_compliant")
SCAN_SUCCESS = series("tls_posture_scan_success")
LAST_SCAN = series("tls_posture_last_scan_timestamp_seconds")
INTERVAL = series("tls_posture_scan_interval_seconds")
DATA_AGE = f"time() - {per_target('tls_posture_last_success_timestamp_seconds')}"

EXPORTERS = f"last_over_time({series('tls_posture_exporter_build_info')}[1d])"
"""`up` alone would count every job of the Prometheus server when all jobs are chosen."""
EXPORTERS_UP = f"{series('up')} and on (job, instance) {EXPORTERS}"

NOT_AFTER = series("tls_posture_certificate_not_after_timestamp_seconds")
NOT_BEFORE = series("tls_posture_certificate_not_before_timestamp_seconds")
LIFETIME_LEFT = f"({NOT_AFTER} - time()) / ({NOT_AFTER} - {NOT_BEFORE})"

BY_NAME = 'host!~"[0-9.]+|.*:.*"'
"""Not by address: for addresses there is no CAA (RFC 8659), and browsers keep no HSTS policy (RFC 6797, 8.1.1)."""
NAMED_TARGETS = series("tls_posture_target_info", BY_NAME)
WEB_TARGETS = series("tls_posture_target_info", 'protocol="https"', BY_NAME)
HSTS = f"({series('tls_posture_hsts_present')} and on ({KEY}) {WEB_TARGETS})"
HSTS_MAX_AGE = series("tls_posture_hsts_max_age_seconds")
CAA = series("tls_posture_caa_present")

YEAR_SECONDS = 365 * 24 * 3600

RANK = f"""sum by ({KEY}) (
  100 * ({series("tls_posture_check_passed", 'severity="critical"')} == bool 0)
  or ({series("tls_posture_check_passed", 'severity!="critical"')} == bool 0)
  or 0.5 * ({without(TARGETS, COMPLIANT)})
  or 0.25 * ({SCAN_SUCCESS} == bool 0)
  or 0 * {TARGETS}
)"""
"""Badness of a target, to sort by: critical failures, other failures, unknown, failed scan. The transformation that
sorts takes one column only."""


# --- Parts of panels -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    Attributes:
        at_end: ask for the end of the time range only. What is shown as the state of now must not reach back to the
            last value of an exporter that is gone.
    """

    expr: str
    legend: str = ""
    at_end: bool = True
    table: bool = False


def steps(base: str, *rest: tuple[float, str]) -> Json:
    """Thresholds: a colour from minus infinity on, then others from their value on."""
    colours = [{"color": base, "value": None}, *({"color": colour, "value": value} for value, colour in rest)]
    return {"mode": "absolute", "steps": colours}


def bad_from_one(colour: str) -> Json:
    """Of what there should be none."""
    return steps(GREEN, (1, colour))


def texts(values: Mapping[int, tuple[str, str]], unknown: str) -> list[Json]:
    """Words and colours in place of numbers, and a word for a sample that is absent."""
    known = {str(value): {"text": text, "color": colour} for value, (text, colour) in values.items()}
    absent = {"match": "null", "result": {"text": unknown, "color": YELLOW}}
    return [{"type": "value", "options": known}, {"type": "special", "options": absent}]


def override(name: str, **properties: object) -> Json:
    """Field settings for the field of this name; `__` in a property stands for a dot."""
    settings = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": settings}


@dataclass(frozen=True)
class Panel:
    """One panel, before it has a place.

    Attributes:
        no_value: shown in place of an empty answer; says what that means.
        extra: further keys of `fieldConfig.defaults`.
        transformations: applied to the answers of the queries.
    """

    kind: str
    title: str
    description: str
    queries: Sequence[Query]
    unit: str
    thresholds: Json
    no_value: str
    width: int
    height: int
    options: Json = field(default_factory=dict)
    extra: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()

    def render(self, number: int, x: int, y: int) -> Json:
        """The panel's JSON at its place."""
        defaults = {"unit": self.unit, "thresholds": self.thresholds, "noValue": self.no_value, "mappings": []}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults | self.extra, "overrides": list(self.overrides)},
            "options": self.options,
            "targets": [_target(query, chr(ord("A") + index)) for index, query in enumerate(self.queries)],
            "transformations": list(self.transformations),
        }


def _target(query: Query, letter: str) -> Json:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "format": "table" if query.table else "time_series",
        "instant": query.at_end,
        "range": not query.at_end,
        "legendFormat": query.legend or "__auto",
    }


# --- Kinds of panels -------------------------------------------------------------------------------------------------


def stat(title: str, description: str, expr: str, thresholds: Json, no_value: str) -> Panel:
    """One big number."""
    options: Json = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value",
    }
    return Panel("stat", title, description, [Query(expr)], "none", thresholds, no_value, 4, 4, options)


@dataclass(frozen=True)
class Bar:
    """One class of things: its name, how many there are, the colour from one on (below, it is green)."""

    name: str
    expr: str
    colour: str


def bars(title: str, description: str, classes: Sequence[Bar], no_value: str, *, width: int) -> Panel:
    """How many there are of each class, one bar each."""
    options: Json = {
        "displayMode": "gradient",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    return Panel(
        kind="bargauge",
        title=title,
        description=description,
        queries=[Query(bar.expr, bar.name) for bar in classes],
        unit="none",
        thresholds=bad_from_one(RED),
        no_value=no_value,
        width=width,
        height=8,
        options=options,
        extra={"min": 0, "decimals": 0},
        overrides=[override(bar.name, thresholds=bad_from_one(bar.colour)) for bar in classes if bar.colour != RED],
    )


@dataclass(frozen=True)
class Scale:
    """How a graph's values read.

    Attributes:
        colours: of the lines whose name alone says good or bad.
    """

    unit: str
    thresholds: Json
    extra: Json = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)


COUNT: Json = {"min": 0, "decimals": 0}


def graph(
    title: str,
    description: str,
    queries: Sequence[tuple[str, str]],
    scale: Scale,
    no_value: str,
) -> Panel:
    """Lines over time, from pairs of query and legend; the thresholds are dashed lines."""
    custom = {
        "drawStyle": "line",
        "fillOpacity": 10,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,  # a gap is a time of which nothing is known
        "thresholdsStyle": {"mode": "dashed"},
    }
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        queries=[Query(expr, legend, at_end=False) for expr, legend in queries],
        unit=scale.unit,
        thresholds=scale.thresholds,
        no_value=no_value,
        width=12,
        height=8,
        options={
            "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        extra={"color": {"mode": "palette-classic"}, "custom": custom} | scale.extra,
        overrides=[
            override(name, color={"mode": "fixed", "fixedColor": colour}) for name, colour in scale.colours.items()
        ],
    )


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its heading.
        expr: gives one value a target.
        properties: settings of the field; none hides the column, which may still be sorted by.
    """

    name: str
    expr: str
    properties: Json


LABEL_COLUMNS = {"target": "Target", "address": "Address", "instance": "Exporter", "job": "Job"}


@dataclass(frozen=True)
class Frame:
    """What a table is sorted by, and its size."""

    sort_by: str
    highest_first: bool
    width: int
    height: int


def table(title: str, description: str, columns: Sequence[Column], frame: Frame, no_value: str) -> Panel:
    """A row a target, or one of its addresses; columns are coloured one by one."""
    letters = {column.name: chr(ord("A") + index) for index, column in enumerate(columns)}
    shown = [column for column in columns if column.properties]
    place = ["target", *(f"Value #{letters[column.name]}" for column in shown), "address", "instance", "job"]
    names = {f"Value #{letters[column.name]}": column.name for column in shown} | LABEL_COLUMNS
    hidden = {"Time": True} | {f"Value #{letters[column.name]}": True for column in columns if not column.properties}
    sort = {"field": f"Value #{letters[frame.sort_by]}", "desc": frame.highest_first}
    return Panel(
        kind="table",
        title=title,
        description=description,
        queries=[Query(column.expr, table=True) for column in columns],
        unit="none",
        thresholds=bad_from_one(RED),
        no_value=no_value,
        width=frame.width,
        height=frame.height,
        options={"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
        extra={"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}},
        overrides=[override(column.name, **column.properties) for column in shown],
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "sortBy", "options": {"fields": {}, "sort": [sort]}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": hidden,
                    "indexByName": {name: index for index, name in enumerate(place)},
                    "renameByName": names,
                },
            },
        ],
    )


COLOURED_TEXT = {"type": "color-text"}


def verdict(zero: tuple[str, str], one: tuple[str, str]) -> Json:
    """Settings of a column that says yes or no, or `unknown` where there is no sample."""
    mappings = texts({0: zero, 1: one}, "unknown")
    return {"mappings": mappings, "noValue": "unknown", "custom__cellOptions": COLOURED_TEXT}


def number(thresholds: Json, absent: str, *, unit: str = "none", decimals: int = 0) -> Json:
    """Settings of a column of numbers; `absent` stands where there is no sample."""
    return {
        "unit": unit,
        "decimals": decimals,
        "thresholds": thresholds,
        "noValue": absent,
        "custom__cellOptions": COLOURED_TEXT,
    }


# --- The fleet dashboard ---------------------------------------------------------------------------------------------

NOTHING = "No data: no exporter of this choice is scraped"


def overview() -> list[Panel]:
    """How many comply, and which do not."""
    return [
        stat(
            "Compliant",
            "Targets that pass every check of their policy that applies to them. Green from 1; yellow when there is "
            "none.",
            count(f"{COMPLIANT} == 1", TARGETS),
            steps(YELLOW, (1, GREEN)),
            NOTHING,
        ),
        stat(
            "Not compliant",
            "Targets that fail at least one check of their policy. Red from 1.",
            count(f"{COMPLIANT} == 0", TARGETS),
            bad_from_one(RED),
            NOTHING,
        ),
        stat(
            "Unknown",
            "Targets that fail no check, but of which at least one check could not be told, or that have not been "
            "scanned yet. Neither good nor bad. Yellow from 1.",
            count(without(TARGETS, COMPLIANT), TARGETS),
            bad_from_one(YELLOW),
            NOTHING,
        ),
        stat(
            "Failed scans",
            "Targets whose last scan did not reach the server over TLS, or got no answer to a question that has to "
            "be answered. Their earlier facts stay until they are too old. Red from 1.",
            count(f"{SCAN_SUCCESS} == 0", SCAN_SUCCESS),
            bad_from_one(RED),
            "No data: no target has been scanned",
        ),
        stat(
            "Overdue scans",
            "Targets whose last scan, successful or not, ended more than two of their scan intervals ago. Everything "
            "shown of them is old. Red from 1.",
            count(f"time() - {LAST_SCAN} > 2 * {INTERVAL}", LAST_SCAN),
            bad_from_one(RED),
            "No data: no target has been scanned",
        ),
        stat(
            "Exporters down",
            "Exporters that were seen within the last day and that Prometheus cannot scrape now. Nothing of their "
            "targets is counted on this page. Red from 1.",
            count(f"({EXPORTERS_UP}) == 0", EXPORTERS),
            bad_from_one(RED),
            "No data: no exporter was seen within a day",
        ),
        worst_first(),
        bars(
            "Failing checks",
            "How many targets fail each check, with the severity that the policy gives it. A check that could not be "
            "told of any target, or applies to none, has no bar. Red from 1.",
            [Bar("{{check}} ({{severity}})", f"sort_desc(sum by (check, severity) ({CHECKS} == bool 0))", RED)],
            "No data: no check could be told of any target",
            width=12,
        ),
        graph(
            "Compliance over time",
            "Targets by verdict. The dashed line at 1: from there on something does not comply.",
            [
                (count(f"{COMPLIANT} == 1", TARGETS), "compliant"),
                (count(f"{COMPLIANT} == 0", TARGETS), "not compliant"),
                (count(without(TARGETS, COMPLIANT), TARGETS), "unknown"),
            ],
            Scale(
                "none",
                bad_from_one(RED),
                COUNT,
                colours={"compliant": GREEN, "not compliant": RED, "unknown": YELLOW},
            ),
            NOTHING,
        ),
    ]


def worst_first() -> Panel:
    """The table of all targets."""
    failing = number(bad_from_one(RED), "unknown")
    age = number(steps(GREEN), "never scanned with success", unit="s", decimals=1)
    intervals = number(steps(GREEN, (2, YELLOW), (3, RED)), "never", unit="suffix: x", decimals=1)
    ratio = f"({DATA_AGE}) / {per_target('tls_posture_scan_interval_seconds', 'max')}"
    return table(
        "Targets, worst first",
        "Targets with failed critical checks stand first, then those with other failed checks, unknown ones, ones "
        "whose last scan failed, and the rest. The age of the data is the time since the last successful scan; in "
        "scan intervals it turns yellow from 2 (a scan was missed) and red from 3, when by default facts are given "
        "up. Failing checks are red from 1. What could not be told reads unknown.",
        [
            Column("Rank", RANK, {}),
            Column("Verdict", COMPLIANT, verdict(("not compliant", RED), ("compliant", GREEN))),
            Column("Failing checks", f"sum by ({KEY}) ({CHECKS} == bool 0)", failing),
            Column("Last scan", per_target("tls_posture_scan_success"), verdict(("failed", RED), ("worked", GREEN))),
            Column("Age of the data", DATA_AGE, age),
            Column("Age in scan intervals", ratio, intervals),
        ],
        Frame("Rank", highest_first=True, width=GRID_WIDTH, height=10),
        NOTHING,
    )


def protocols_and_suites() -> list[Panel]:
    """What should no longer be accepted, over time."""
    weak = series("tls_posture_protocol_accepted", 'protocol=~"SSLv2|SSLv3|TLSv1[.]0|TLSv1[.]1"')
    suites = series("tls_posture_cipher_suites_noncompliant")
    return [
        graph(
            "Weak protocols accepted",
            "Targets that accept SSL 2, SSL 3, TLS 1.0 or TLS 1.1, which no target should (RFC 6176, 7568, 8996). A "
            "target of which it could not be told is not counted. The dashed line at 1: from there on it is too many.",
            [(f"sum by (protocol) (max by ({KEY}, protocol) ({weak}))", "{{protocol}}")],
            Scale("none", bad_from_one(RED), COUNT),
            "No data: of no target it is known which protocols it accepts",
        ),
        graph(
            "Cipher suites the policy does not allow",
            "Accepted suites that the policy of the target does not allow, over all targets, by protocol. A protocol "
            "that no target accepts has no line. The dashed line at 1: from there on it is too many.",
            [(f"sum by (protocol) (max by ({KEY}, protocol) ({suites}))", "{{protocol}}")],
            Scale("none", bad_from_one(RED), COUNT),
            "No data: of no target the list of suites is known",
        ),
    ]


def certificates() -> list[Panel]:
    """How long they last, and whether they are worth anything."""
    return [lifetimes(), certificate_table()]


def lifetimes() -> Panel:
    """Targets by share of the certificate's lifetime that is left."""
    left = f"min by ({KEY}) ({LIFETIME_LEFT})"
    return bars(
        "Certificates by share of lifetime left",
        "Targets by what is left of the lifetime of their certificate. Clients that renew by themselves usually do so "
        "with a third left (below it: yellow from 1); with less than a tenth, renewal does not work (red from 1). "
        "Targets whose certificate was not seen are in the last bar (yellow from 1).",
        [
            Bar("expired", count(f"{left} <= 0", NOT_AFTER), RED),
            Bar("under a tenth", count(f"{left} > 0 < 0.1", NOT_AFTER), RED),
            Bar("a tenth to a third", count(f"{left} >= 0.1 < 1 / 3", NOT_AFTER), YELLOW),
            Bar("a third or more", count(f"{left} >= 1 / 3", NOT_AFTER), GREEN),
            Bar("not known", count(without(TARGETS, NOT_AFTER), TARGETS), YELLOW),
        ],
        NOTHING,
        width=8,
    )


def certificate_table() -> Panel:
    """The certificates, first the one that is nearest to its end."""
    soonest = per_target("tls_posture_certificate_chain_not_after_timestamp_seconds")
    ends = per_target("tls_posture_certificate_not_after_timestamp_seconds")
    share = number(steps(RED, (0.1, YELLOW), (1 / 3, GREEN)), "unknown", unit="percentunit")
    days = number(steps(RED, (0, GREEN)), "unknown", unit="suffix: d", decimals=1)
    date: Json = {"unit": "dateTimeAsIso", "noValue": "unknown"}
    return table(
        "Certificates, nearest end first",
        "The certificate that each target presents to a modern client. The share of the lifetime that is left is red "
        "below a tenth and yellow below a third; days are red when it has expired. The chain may end earlier than the "
        "certificate: the earliest end counts. Trust is by the trust store configured for the target. Targets whose "
        "certificate was not seen are not listed.",
        [
            Column("Lifetime left", f"min by ({KEY}) ({LIFETIME_LEFT})", share),
            Column("Days left", f"({ends} - time()) / 86400", days),
            Column("Ends", f"1000 * {ends}", date),
            Column("Chain ends", f"1000 * {soonest}", date),
            Column(
                "Chain",
                per_target("tls_posture_certificate_trusted"),
                verdict(("not trusted", RED), ("trusted", GREEN)),
            ),
            Column(
                "Name",
                per_target("tls_posture_certificate_hostname_match"),
                verdict(("does not match", RED), ("matches", GREEN)),
            ),
        ],
        Frame("Lifetime left", highest_first=False, width=16, height=8),
        "No data: of no target the certificate was seen",
    )


def web_and_dns() -> list[Panel]:
    """Coverage with HSTS and CAA."""
    kept_long = f"{HSTS} == 1 and on ({KEY}) {HSTS_MAX_AGE} >= {YEAR_SECONDS}"
    kept_short = f"{HSTS} == 1 and on ({KEY}) {HSTS_MAX_AGE} < {YEAR_SECONDS}"
    return [
        bars(
            "HSTS",
            "Targets with a DNS name that speak HTTPS, by the HSTS policy of their first response (RFC 6797). Without "
            "one: red from 1. A policy that browsers forget within a year, or one that could not be looked at: yellow "
            "from 1.",
            [
                Bar("a year or longer", count(kept_long, HSTS), GREEN),
                Bar("under a year", count(kept_short, HSTS), YELLOW),
                Bar("none", count(f"{HSTS} == 0", HSTS), RED),
                Bar("not known", count(without(WEB_TARGETS, HSTS), WEB_TARGETS), YELLOW),
            ],
            "No data: no target with a DNS name speaks HTTPS",
            width=6,
        ),
        bars(
            "CAA",
            "Targets with a DNS name, by whether CAA records apply to it (RFC 8659). Without: red from 1. Where a "
            "lookup failed: yellow from 1.",
            [
                Bar("present", count(f"{CAA} == 1", CAA), GREEN),
                Bar("none", count(f"{CAA} == 0", CAA), RED),
                Bar("not known", count(without(NAMED_TARGETS, CAA), NAMED_TARGETS), YELLOW),
            ],
            "No data: no target has a DNS name",
            width=6,
        ),
        graph(
            "HSTS and CAA coverage over time",
            "Share of the targets with an HSTS policy or CAA records, among those of which it is known. The dashed "
            "line is full coverage; below it, something lacks.",
            [(f"avg({HSTS})", "HSTS"), (f"avg({CAA})", "CAA")],
            Scale("percentunit", steps(YELLOW, (1, GREEN)), {"min": 0, "max": 1}),
            "No data: of no target it is known",
        ),
    ]


def scan_health() -> list[Panel]:
    """Whether the scans behind all this work."""
    failures = series("tls_posture_probe_failure")
    duration = series("tls_posture_scan_duration_seconds")
    connections = series("tls_posture_scan_connections")
    return [
        graph(
            "Failed probes by reason",
            "Probes that could not tell in the last scan of their target. The line named all is 0 when every probe "
            "worked; reasons have a line only while they occur. The dashed line at 1: from there on something is not "
            "known or is as of an earlier scan.",
            [
                (f"sum({series('tls_posture_probe_success')} == bool 0)", "all"),
                (f"count by (probe, reason) ({failures})", "{{probe}}: {{reason}}"),
            ],
            Scale("none", bad_from_one(RED), COUNT),
            "No data: no target has been scanned",
        ),
        graph(
            "Duration of the last scan",
            "Wall time of the last scan of each target: the median and the longest. The dashed lines: half of the "
            "default deadline of two minutes (yellow), and the deadline (red).",
            [(f"quantile(0.5, {duration})", "median"), (f"max({duration})", "longest")],
            Scale("s", steps(GREEN, (60, YELLOW), (120, RED)), {"min": 0}),
            "No data: no target has been scanned",
        ),
        graph(
            "Connections of the last scan",
            "TCP connections that the last scan opened to each target: the median and the most. Some dozens are "
            "usual. The dashed line at 150: from there on a target is worth a look, as its owner may take the scan "
            "for an attack.",
            [(f"quantile(0.5, {connections})", "median"), (f"max({connections})", "most")],
            Scale("none", steps(GREEN, (150, YELLOW)), COUNT),
            "No data: no target has been scanned",
        ),
        graph(
            "Lag of the schedule",
            "How late the last scan that came due was started, by exporter. The dashed lines: from a minute on "
            "(yellow) the places for concurrent scans are short, from five minutes on (red) far too few.",
            [(f"max by (instance) ({series('tls_posture_exporter_scan_lag_seconds')})", "{{instance}}")],
            Scale("s", steps(GREEN, (60, YELLOW), (300, RED)), {"min": 0}),
            NOTHING,
        ),
    ]


def fleet() -> Json:
    """The dashboard of all targets."""
    sections = {
        "Compliance": overview(),
        "Protocols and cipher suites": protocols_and_suites(),
        "Certificates": certificates(),
        "HSTS and CAA": web_and_dns(),
        "Scan health": scan_health(),
    }
    about = (
        "TLS posture of all targets, worst first. What could not be found out is shown as unknown or not at all, never "
        "as zero. A target that two exporters watch counts twice: choose one instance then."
    )
    return dashboard("tls-posture-fleet", "TLS posture: fleet", about, sections)


# --- The frame of a dashboard ----------------------------------------------------------------------------------------


def variable(name: str, query: str) -> Json:
    """A variable with the values of a label; all of them by default."""
    return {
        "type": "query",
        "name": name,
        "label": name,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1},
        "refresh": 2,  # when the time range changes, too: a target may be gone by now
        "sort": 1,
        "regex": "",
        "hide": 0,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def variables() -> list[Json]:
    """What can be chosen above the panels."""
    datasource: Json = {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "current": {},
        "options": [],
    }
    info = "tls_posture_target_info"
    return [
        datasource,
        variable("job", f"label_values({info}, job)"),
        variable("instance", f'label_values({info}{{job=~"$job"}}, instance)'),
    ]


def placed(sections: Mapping[str, Sequence[Panel]]) -> list[Json]:
    """The panels under a heading each section, from left to right, in lines as high as their highest panel."""
    out: list[Json] = []
    y = 0
    for title, panels in sections.items():
        place = {"x": 0, "y": y, "w": GRID_WIDTH, "h": 1}
        out.append(
            {"id": len(out) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        )
        x, y, line = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > GRID_WIDTH:
                x, y, line = 0, y + line, 0
            out.append(panel.render(len(out) + 1, x, y))
            x, line = x + panel.width, max(line, panel.height)
        y += line
    return out


def dashboard(uid: str, title: str, description: str, sections: Mapping[str, Sequence[Panel]]) -> Json:
    """A whole dashboard; the uid stays, as links and bookmarks hold it."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["prometheus", "security", "tls", "tls-posture-exporter"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,  # an edit would be lost with the next version of this file
        "graphTooltip": 1,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "5m",
        "timezone": "browser",
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "links": [],
        "annotations": {"list": []},
        "templating": {"list": variables()},
        "panels": placed(sections),
    }


def rendered() -> dict[str, str]:
    """File name -> text of every dashboard."""
    files = {"fleet.json": fleet()}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
