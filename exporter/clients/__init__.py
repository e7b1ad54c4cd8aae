"""TLS clients as data: what each offers. Pure, but for the reading of the data's file.

`client` is what is known of one, `files` reads the table; what comes of it all with a server is `exporter.simulation`.
"""
