"""Run as a program: libFuzzer, by Atheris, on one parser. It starts with the seeds and instruments our own code.

Arguments: the name of the parser, an empty folder for the corpus, and options of libFuzzer.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import atheris

_WATCHED = ["exporter.net", "exporter.probes", "exporter.software"]
"""Packages whose coverage guides the choice of inputs."""


def main(arguments: Sequence[str]) -> None:
    """Try inputs until libFuzzer reaches its limit or finds something. This ends the process."""
    name, corpus, *options = arguments
    warnings.simplefilter("ignore")  # cryptography warns about unusual certificates
    with atheris.instrument_imports(include=_WATCHED):
        from fuzz.parsers import PARSERS  # noqa: PLC0415 - instrumented by the import
        from fuzz.seeds import seeds  # noqa: PLC0415
    for number, seed in enumerate(seeds(name)):
        (Path(corpus) / f"{number:04}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, corpus], PARSERS[name].parse)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
