"""Pictures of the Grafana dashboards, drawn without a Grafana: `python -m tools.pictures` writes docs/pictures/*.png.

A fleet of real servers (`fleet`) is watched by the exporter and a real Prometheus (`watch`) for some minutes, in which
servers change. Then the queries of every panel are asked of it (`panels`), and the answers drawn with Grafana's own
components, in a headless browser (`browser`, `src`). What stands in for Grafana's server is little: variables, the
frames that its Prometheus data source makes of answers, and the places of panels. It fails where a dashboard uses what
it does not know.
"""
