"""Fuzzing of every parser that reads bytes of a server; no part of the program. CONTRIBUTING.md says how to run it."""
