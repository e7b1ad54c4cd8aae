"""Run as a program: libFuzzer, by Atheris, on one parser; it begins with the seeds and watches our own code.

Arguments: the parser's name, an empty folder for the inputs it goes on from, and libFuzzer's own.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import atheris

_WATCHED = ["exporter.net", "exporter.probes", "exporter.software"]
"""What leads the choice of inputs."""


def main(arguments: Sequence[str]) -> None:
    """Try inputs until libFuzzer has had enough, or something is found; ends the process."""
    name, corpus, *options = arguments
    warnings.simplefilter("ignore")  # cryptography has its opinions on certificates
    with atheris.instrument_imports(include=_WATCHED):
        from fuzz.parsers import PARSERS  # noqa: PLC0415 - watched from its import on
        from fuzz.seeds import seeds  # noqa: PLC0415
    for number, seed in enumerate(seeds(name)):
        (Path(corpus) / f"{number:04}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, corpus], PARSERS[name].parse)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
