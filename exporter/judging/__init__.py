"""What checks share: what a check is, entries of a policy's lists, names, expressions over suites. Pure."""
