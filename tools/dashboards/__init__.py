"""The Grafana dashboards under `grafana/`, as code: `python -m tools.dashboards` writes them.

The files are classic dashboard JSON, which Grafana 10 to 13 import. The code uses plain dicts: the format is public and
stable, and a builder library would have to be kept in step with it. The output depends on this package alone, so a test
can compare it.

Four dashboards, each at most 25 panels: `fleet` (all targets, worst first), `target` (one of them), `audit` (one
policy over all targets, for auditors), `exporter` (whether scans keep up, what the daemon waits for and loses, and the
cost).

Operators choose the names of the labels of their targets, so there cannot be a variable for each. An ad hoc filter
accepts any label: Grafana adds it to every query of the page and offers the existing names and values. A text box would
need matchers typed without a mistake, and two variables (a name, a value) allow one label only.
"""
