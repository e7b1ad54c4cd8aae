"""TLS clients as data: what each of them offers. Pure, except for reading the data file.

`client` describes one client, `files` reads the table. `exporter.simulation` works out the outcome with a server.
"""
