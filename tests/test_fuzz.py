"""Fuzzing in its shortest form: the seeds and a few fixed mutations, and earlier findings."""

import importlib.util
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from fuzz import __main__ as fuzz
from fuzz.certificates import CHAINS
from fuzz.parsers import PARSERS
from fuzz.seeds import seeds
from tests.support.scripted import certificate_message, message, record, server_hello_message

MUTATIONS = 150
"""Of each parser's seeds; `make fuzz` tries millions."""

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def mutations(seeds: Sequence[bytes], random: Random) -> Iterator[bytes]:
    """Seeds with some bytes changed, put in, taken out, or taken over from another seed."""
    for _ in range(MUTATIONS):
        data, other = bytearray(random.choice(seeds)), random.choice(seeds)
        for _ in range(random.randint(1, 4)):
            at, size = random.randint(0, len(data)), random.randint(1, 8)
            start = random.randint(0, len(other))
            match random.randrange(4):
                case 0:
                    data[at : at + 1] = random.randbytes(1)
                case 1:
                    data[at:at] = random.randbytes(size)
                case 2:
                    del data[at : at + size]
                case _:
                    data[at:at] = other[start : start + 8 * size]
        yield bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_no_parser_is_upset_by_its_seeds_and_their_mutations(name: str) -> None:
    parse, known = PARSERS[name].parse, seeds(name)
    assert len(known) > 5
    parse(b"")
    for data in (*known, *mutations(known, Random(name))):  # noqa: S311 - the same each time
        parse(data)


def of_version(version: int, certificate: bytes) -> bytes:
    """The certificate, said to be of another version (RFC 5280, 4.1.2.1)."""
    return certificate.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01" + bytes([version]), 1)


FOUND: list[tuple[str, str, bytes]] = [
    (
        "a certificate of an unknown version, which OpenSSL reads and cryptography does not",
        "tls",
        record(
            22,
            server_hello_message(0x0303, 0xC02B) + certificate_message([of_version(18, CHAINS[0][0])]) + message(14),
        ),
    ),
]
"""Inputs that fuzzing has found, with the parser that failed."""


@pytest.mark.parametrize(("name", "data"), [case[1:] for case in FOUND], ids=[case[0] for case in FOUND])
def test_what_was_found_is_mended(name: str, data: bytes) -> None:
    PARSERS[name].parse(data)


def test_seeds_are_the_same_each_time() -> None:
    for name in PARSERS:
        assert seeds(name) == seeds(name)


# --- the long form ----------------------------------------------------------------------------------------------------

DONE = """\
INFO: Instrumenting exporter.net
#3\tINITED cov: 30 ft: 38 corp: 6/170b exec/s: 0 rss: 92Mb
#3000\tDONE   cov: 33 ft: 57 corp: 14/273b lim: 49 exec/s: 0 rss: 92Mb
Done 3000 runs in 2 second(s)
stat::number_of_executed_units: 3000
"""
UPSET = """\
INFO: Instrumenting exporter.net
#1024\tpulse  cov: 31 ft: 57 corp: 14/273b lim: 49 exec/s: 0 rss: 92Mb
 === Uncaught Python exception: ===
ValueError: x
stat::number_of_executed_units: 1700
"""


def test_all_inputs_are_shared_out() -> None:
    shares = fuzz.shares(list(PARSERS), 1_000_000)
    assert shares.keys() == PARSERS.keys()
    assert 1_000_000 <= sum(shares.values()) < 1_000_000 + len(PARSERS)
    assert min(fuzz.shares(list(PARSERS), 10).values()) == 1


def test_a_run_without_findings_is_told_in_figures() -> None:
    assert fuzz.read_log("hsts", DONE, None, failed=False) == fuzz.Outcome("hsts", 3000, 1500, 33)


def test_a_finding_is_told_with_its_file(tmp_path: Path) -> None:
    outcome = fuzz.read_log("hsts", UPSET, tmp_path / "hsts-crash-1", failed=True)
    assert (outcome.inputs, outcome.coverage, outcome.failed) == (1700, 31, True)
    console = Console(record=True, width=200, file=io.StringIO())
    fuzz.show(console, [outcome, fuzz.Outcome("key", 300, None, 4)])
    shown = console.export_text()
    assert "2,000" in shown
    assert f"hsts: {tmp_path}/hsts-crash-1\n === Uncaught Python exception: ===\nValueError: x\n" in shown
    assert "Instrumenting" not in shown


def test_a_parser_that_did_not_run_is_a_failure() -> None:
    assert fuzz.read_log("hsts", "", None, failed=True).failed


def test_without_atheris_it_fails_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "find_spec", lambda name: None if name == "atheris" else importlib.util.find_spec(name))
    with pytest.raises(SystemExit) as caught:
        fuzz.main([])
    assert caught.value.code == 1
    assert "Atheris is not installed" in capsys.readouterr().err


def test_an_unknown_parser_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        fuzz.main(["nothing"])
    assert caught.value.code == 2
    assert "no such parser: nothing" in capsys.readouterr().err
