"""What checks share: the definition of a check, entries of policy lists, names, expressions over suites. Pure."""
