"""Measurements against other scanners, on servers started for the run. They are not part of the program."""
