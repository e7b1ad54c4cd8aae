"""The program's exit codes."""

OK, NOT_COMPLIANT, USAGE, UNKNOWN = 0, 1, 2, 3
"""`UNKNOWN`: a target could not be scanned, or not everything is known."""
INTERRUPTED, READER_GONE = 130, 141
"""The codes of a shell for SIGINT and SIGPIPE. `exporter.stopping` has those of a daemon that is stopped twice."""
