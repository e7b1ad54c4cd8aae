"""Answers of `/probe`: targets by name from the store, other services by scans that `probe.allow` permits."""
