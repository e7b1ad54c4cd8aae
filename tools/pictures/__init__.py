"""Pictures of the Grafana dashboards, drawn without a Grafana: `python -m tools.pictures` writes docs/pictures/*.png.

The exporter and a real Prometheus (`watch`) watch a fleet of real servers (`fleet`) for some minutes, in which servers
change. Then the queries of every panel are sent to Prometheus (`panels`). Grafana's own components draw the results in
a headless browser (`browser`, `src`). Only a few parts of Grafana's server are imitated: variables, the data frames
that its Prometheus data source makes of results, and the layout of panels. The tool fails if a dashboard uses a feature
that is not imitated.
"""
