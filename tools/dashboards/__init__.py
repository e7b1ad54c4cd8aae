"""The Grafana dashboards under `grafana/`, as code: `python -m tools.dashboards` writes them.

Classic dashboard JSON, which Grafana 10 to 13 import. Plain dicts: the format is public and stable, a builder library
would be one more thing to keep in step with it. The output depends on this package alone, so a test can compare.

Three dashboards, each at most 25 panels: `fleet` (all targets, worst first), `target` (one of them), `exporter`
(whether the work gets done, and its cost). Left out, as the exporter has none of it so far: discovery of targets
(`tls_posture_exporter_discovery_failures_total`) and a store on disk (`tls_posture_exporter_store_errors_total`). A
panel about them would always be empty, and an empty panel has to mean something.

The labels that operators give their targets have names of their own choice, so no variable can be made for each. An ad
hoc filter takes any label: Grafana adds it to every query of the page and offers the names and values that there are. A
text box would want matchers typed without a mistake, and two variables (a name, a value) allow one label only.
"""
