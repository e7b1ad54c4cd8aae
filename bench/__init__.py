"""Measurements against other scanners, on servers started here; no part of the program."""
