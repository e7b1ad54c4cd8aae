"""The frame of a dashboard: variables, links, layout."""

from collections.abc import Mapping, Sequence

from tools.dashboards.panels import DATASOURCE, GRID_WIDTH, Json, Panel

SCHEMA_VERSION = 39
"""The schema version of Grafana 10.4. Newer releases migrate it, older 10.x releases accept it."""

FLEET, TARGET, EXPORTER = "tls-posture-fleet", "tls-posture-target", "tls-posture-exporter"
TITLES: Mapping[str, str] = {
    FLEET: "TLS posture: fleet",
    TARGET: "TLS posture: target",
    EXPORTER: "TLS posture: exporter",
}
"""uid -> title. The uid must not change: links and bookmarks contain it."""


# --- Variables -------------------------------------------------------------------------------------------------------


def choice(name: str, query: str) -> Json:
    """A variable with the values of a label; all of them by default."""
    return _values(name, query) | {
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def single_choice(name: str, query: str) -> Json:
    """A variable with one value of a label."""
    return _values(name, query) | {"multi": False, "includeAll": False, "current": {}}


def choice_or_none(name: str, query: str) -> Json:
    """The same as `choice`, of a label that not every series has."""
    return choice(name, query) | {"allValue": ".*"}


def _values(name: str, query: str) -> Json:
    return {
        "type": "query",
        "name": name,
        "label": name,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1},
        "refresh": 2,  # also when the time range changes: a target may be gone by now
        "sort": 1,
        "regex": "",
        "hide": 0,
        "options": [],
    }


def exporters(metric: str) -> list[Json]:
    """Variables for data source, job and instance, of the exporters that have the metric."""
    source: Json = {
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
    return [
        source,
        choice("job", f"label_values({metric}, job)"),
        choice("instance", f'label_values({metric}{{job=~"$job"}}, instance)'),
    ]


LABELS: Json = {
    "type": "adhoc",
    "name": "labels",
    "label": "Labels of targets",
    "datasource": DATASOURCE,
    "filters": [],
    "hide": 0,
    "skipUrlSync": False,
}
"""A filter by the operator's own labels; Grafana adds it to every query of the page."""


# --- Links -----------------------------------------------------------------------------------------------------------


def to_dashboard(uid: str) -> Json:
    """A link above the panels; it keeps the time range and the variables that both dashboards have."""
    return {
        "type": "link",
        "title": TITLES[uid],
        "url": f"/d/{uid}",
        "icon": "dashboard",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _from_row(uid: str, title: str, headings: Mapping[str, str]) -> Json:
    chosen = [f"var-{name}=${{__data.fields.{heading}:percentencode}}" for name, heading in headings.items()]
    url = "&".join(["${__url_time_range}", "${datasource:queryparam}", *chosen])
    return {"title": title, "url": f"/d/{uid}?{url}", "targetBlank": False}


TO_TARGET = _from_row(
    TARGET,
    "Show this target",
    {"job": "Job", "instance": "Exporter", "target": "Target"},
)
"""A link from tables whose columns of these names identify a target. It shows all addresses of the target: for a target
without addresses, a row would choose the empty address, which is not a value of the variable."""
TO_EXPORTER = _from_row(EXPORTER, "Show this exporter", {"job": "Job", "instance": "Exporter"})


# --- Layout ----------------------------------------------------------------------------------------------------------


def placed(sections: Mapping[str, Sequence[Panel]]) -> list[Json]:
    """The panels of each section under its heading, from left to right, in lines as high as their highest panel."""
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


def dashboard(uid: str, description: str, variables: Sequence[Json], sections: Mapping[str, Sequence[Panel]]) -> Json:
    """A complete dashboard, with links to the others."""
    return {
        "uid": uid,
        "title": TITLES[uid],
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
        "links": [to_dashboard(other) for other in TITLES if other != uid],
        "annotations": {"list": []},
        "templating": {"list": list(variables)},
        "panels": placed(sections),
    }
