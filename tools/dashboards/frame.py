"""The frame of a dashboard: variables, links, layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.dashboards.panels import DATASOURCE, GRID_WIDTH, Json, Panel

SCHEMA_VERSION = 39
"""The schema version of Grafana 10.4. Newer releases migrate it, older 10.x releases accept it."""

FLEET, TARGET, AUDIT, EXPORTER = (f"tls-posture-{name}" for name in ("fleet", "target", "audit", "exporter"))
TITLES: Mapping[str, str] = {
    FLEET: "TLS posture: fleet",
    TARGET: "TLS posture: target",
    AUDIT: "TLS posture: audit of a policy",
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
    chosen = 'job=~"$job", instance=~"$instance"'
    return [
        source,
        choice("job", f"label_values({metric}, job)"),
        choice("instance", f'label_values({metric}{{job=~"$job"}}, instance)'),
        single_choice("url", f"label_values(tls_posture_exporter_web_info{{{chosen}}}, external_url)")
        | {"label": "Exporter's pages"},
    ]


GROUP: Json = {
    "type": "textbox",
    "name": "group",
    "label": "Group by label",
    "query": "team",
    "current": {"selected": True, "text": "team", "value": "team"},
    "options": [{"selected": True, "text": "team", "value": "team"}],
    "hide": 0,
    "skipUrlSync": False,
}
"""The operator's own label by which panels group targets."""

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
    return _link(TITLES[uid], f"/d/{uid}") | {"icon": "dashboard", "includeVars": True, "keepTime": True}


def to_page(title: str, path: str) -> Json:
    """A link above the panels to a page of the exporter. Grafana replaces variables in it."""
    return _link(title, "${url:raw}" + path) | {"targetBlank": True}


def _link(title: str, url: str) -> Json:
    return {
        "type": "link",
        "title": title,
        "url": url,
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
    }


def value_of(heading: str) -> str:
    """The value of a column in the row of a link."""
    return f"${{__data.fields.{heading}:percentencode}}"


def _from_row(uid: str, title: str, fields: Mapping[str, str]) -> Json:
    chosen = [f"var-{name}={value_of(heading)}" for name, heading in fields.items()]
    url = "&".join(["${__url_time_range}", "${datasource:queryparam}", *chosen])
    return {"title": title, "url": f"/d/{uid}?{url}", "targetBlank": False}


def page_of_row(title: str, path: str) -> Json:
    """A link from a row to a page of the exporter."""
    return {"title": title, "url": "${url:raw}" + path, "targetBlank": True}


TARGET_PAGE = page_of_row("Open its page in the exporter", f"/targets/{value_of('Target')}")
TO_TARGET = [
    _from_row(TARGET, "Show its dashboard", {"job": "job", "instance": "instance", "target": "Target"}),
    TARGET_PAGE,
]
"""Links from tables whose columns of these names identify a target. The dashboard shows all addresses of the target:
for a target without addresses, a row would choose the empty address, which is not a value of the variable."""


def to_exporter(heading: str) -> Sequence[Json]:
    """Links of an exporter, whose name is in the column with this heading."""
    return [_from_row(EXPORTER, "Show this exporter", {"job": "job", "instance": heading})]


TO_EXPORTER = to_exporter("instance")
TO_POLICY = [
    _from_row(AUDIT, "Show its audit", {"policy": "Policy"}),
    page_of_row("Open its page in the exporter", f"/policies/{value_of('Policy')}"),
]


def to_failing(policy: str) -> Sequence[Json]:
    """Links of a check to the exporter's list of targets that fail it, by the value of the policy in the link."""
    path = f"/?policy={policy}&check={value_of('Check')}&verdict=fail"
    return [page_of_row("List the targets that fail it", path)]


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


@dataclass(frozen=True)
class Board:
    """A dashboard.

    Attributes:
        sections: heading -> its panels.
        pages: links to pages of the exporter; links to the other dashboards are added.
        since: start of the time range.
    """

    uid: str
    description: str
    variables: Sequence[Json]
    sections: Mapping[str, Sequence[Panel]]
    pages: Sequence[Json]
    since: str = "now-24h"

    def render(self) -> Json:
        """The complete JSON."""
        return {
            "uid": self.uid,
            "title": TITLES[self.uid],
            "description": self.description,
            "tags": ["prometheus", "security", "tls", "tls-posture-exporter"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,  # an edit would be lost with the next version of this file
            "graphTooltip": 1,
            "time": {"from": self.since, "to": "now"},
            "refresh": "5m",
            "timezone": "browser",
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "weekStart": "",
            "links": [*(to_dashboard(other) for other in TITLES if other != self.uid), *self.pages],
            "annotations": {"list": []},
            "templating": {"list": list(self.variables)},
            "panels": placed(self.sections),
        }
