"""What is registered for TLS: cipher suites, groups, signature schemes, extensions."""
