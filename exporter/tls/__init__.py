"""Registries of TLS: cipher suites, groups, signature schemes, extensions."""
