"""`diff`: what is printed, exit codes, and documents that cannot be compared."""

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.report import reports_json
from tests.cli.test_command import run
from tests.support.facts import report
from tests.test_comparison import UNREACHED, made, verdict


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def write(file: Path, *reports: dict[str, Any]) -> str:
    file.write_text(json.dumps({"schema_version": 1, "reports": reports}))
    return str(file)


@pytest.mark.parametrize(
    ("old", "new", "code", "first"),
    [
        ([made()], [made()], 0, "None of 1 target got worse; 1 the same."),
        ([made()], [verdict("fail")], 1, "1 of 1 target got worse."),
        ([verdict("fail")], [made()], 0, "None of 1 target got worse; 1 got better."),
        ([made()], [UNREACHED], 3, "None of 1 target got worse; 1 not known any more."),
        ([made()], [], 3, "None of 1 target got worse; 1 not known any more."),
        ([], [made()], 0, "None of 1 target got worse; 1 new."),
        ([], [], 0, "None of 0 targets got worse."),
        (
            [made(), made(target="b"), made(target="c")],
            [verdict("fail"), UNREACHED | {"target": "b"}, made(target="c", grade={"letter": "A+"})],
            1,
            "1 of 3 targets got worse; 1 not known any more, 1 got better.",
        ),
    ],
)
def test_the_first_line_and_the_exit_code_say_the_result(
    tmp_path: Path, old: list[dict[str, Any]], new: list[dict[str, Any]], code: int, first: str
) -> None:
    done = run("diff", write(tmp_path / "old.json", *old), write(tmp_path / "new.json", *new))
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines()[0] == first
    data = run("diff", str(tmp_path / "old.json"), str(tmp_path / "new.json"), "--format=json")
    assert data.returncode == code
    assert sum(json.loads(data.stdout)["targets"].values()) == max(len(old), len(new))


def test_documents_that_scan_prints_are_compared(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / f"{name}.json").write_text(reports_json([report()]))
    done = run("diff", str(tmp_path / "old.json"), str(tmp_path / "new.json"))
    assert (done.returncode, done.stdout) == (0, "None of 1 target got worse; 1 the same.\n")


def test_hostile_text_is_inert_and_lines_fit(tmp_path: Path) -> None:
    summary = "accepts \u202e\x1b[31m" + "x" * 300
    new = verdict("fail", summary=summary, check="a" * 200) | {"target": "t\x1b]0;\n"}
    old = verdict("pass", check="a" * 200) | {"target": "t\x1b]0;\n"}
    files = write(tmp_path / "old.json", old), write(tmp_path / "new.json", new)
    for flags in ([], ["--format=json"]):
        done = run("diff", *files, *flags)
        assert all(char == "\n" or char.isprintable() for char in done.stdout)
        if not flags:
            assert max(map(len, done.stdout.splitlines())) <= 80
            assert done.stdout.count("x") >= 300, "nothing is cut"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ('{"reports": [1,\n}', [":2:1: not valid JSON: "]),
        ("", [":1:1: not valid JSON: EOF while parsing a value"]),
        ("[" * 100_000, [": not valid JSON: recursion limit exceeded"]),
        ("[]", [":1:1: "]),
        (
            "{}",
            [":1:1: reports: is required", "schema_version: is required; is it a document of `scan --format=json`?"],
        ),
        ('{"schema_version": 2, "reports": []}', [":1:1: schema_version: 2 is not known here; this program reads 1"]),
        ('{"schema_version": 1, "reports": [{"target": 1}]}', ["reports.0.target: 1 is not text"]),
        (
            json.dumps({"schema_version": 1, "reports": [verdict("maybe")]}),
            ["reports.0.findings.0.verdict: 'maybe' is not one of 'pass', 'fail', 'unknown' or 'not_applicable'"],
        ),
        (json.dumps({"schema_version": 1, "reports": [1] * 100}), ["reports.9: "]),
    ],
)
def test_what_is_no_such_document_is_2_with_its_place(tmp_path: Path, text: str, messages: list[str]) -> None:
    (tmp_path / "bad.json").write_text(text)
    good = write(tmp_path / "good.json")
    for files in ((str(tmp_path / "bad.json"), good), (good, str(tmp_path / "bad.json"))):
        done = run("diff", *files)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 10
        for message in messages:
            assert f"{tmp_path}/bad.json:" in done.stderr
            assert message in done.stderr


def test_files_that_cannot_be_read_or_are_too_large_are_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(tmp_path / "good.json")
    for file, message in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        done = run("diff", str(file), good)
        assert done.returncode == 2
        assert f"{file}:1:1: cannot be read: {message}" in done.stderr
    monkeypatch.setattr("exporter.cli.diff.MAX_BYTES", 10)
    assert "good.json:1:1: is larger than 0 MiB" in run("diff", good, good).stderr


def test_documents_the_other_way_round_are_said(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", made(scanned_at="2026-11-23T00:00:00Z"))
    done = run("diff", old, write(tmp_path / "new.json", made()))
    assert done.returncode == 0
    assert "are they the other way round?" in done.stderr
