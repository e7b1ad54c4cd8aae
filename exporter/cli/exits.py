"""The program's exit codes."""

OK, NOT_COMPLIANT, USAGE, UNKNOWN = 0, 1, 2, 3
"""`UNKNOWN`: a target could not be scanned, or not all could be told."""
INTERRUPTED, READER_GONE = 130, 141
"""As a shell gives for SIGINT and SIGPIPE."""
