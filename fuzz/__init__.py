"""Fuzzing of every parser that reads bytes from a server. It is not part of the program; see CONTRIBUTING.md."""
