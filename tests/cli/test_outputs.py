"""`--format` and `--output`: what is printed, which files are written, and what happens if one cannot be."""

import os
import stat
from pathlib import Path

import pytest

from exporter.cli.outputs import Output, Outputs, parse_output, prepare
from exporter.cli.parser import FORMATS
from exporter.errors import ExporterError
from exporter.reports.registry import MODULES


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def to(*files: tuple[str, Path], printed: str = "table") -> Outputs:
    return prepare(printed, [f"{name}:{file}" for name, file in files])


def test_formats_are_those_of_the_registry_and_a_table() -> None:
    assert ("table", *MODULES) == FORMATS


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("junit:out.xml", Output("junit", "out.xml")),
        ("html:-", Output("html", "-")),
        ("csv:a:b.csv", Output("csv", "a:b.csv")),
    ],
)
def test_an_output_is_a_format_and_a_file(text: str, output: Output) -> None:
    assert parse_output(text) == output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("out.xml", "does not begin with a format and a colon"),
        ("pdf:out.pdf", "does not begin with a format and a colon"),
        ("junit", "has no file; write junit:FILE"),
        ("junit:", "has no file; write junit:FILE"),
        ("table:out", "a table is for a terminal"),
        ("", "does not begin with a format and a colon"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExporterError, match=message):
        parse_output(text)


def test_files_are_written_and_nothing_is_left_next_to_them(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    outputs = to(("json", tmp_path / "a.json"), ("csv", tmp_path / "b.csv"), printed="markdown")
    assert names(tmp_path) == [], "nothing is there before the scan has ended"
    made: list[str] = []

    def document(name: str) -> str:
        made.append(name)
        return f"{name} \u00e4\r\n"

    outputs.deliver(document)
    assert names(tmp_path) == ["a.json", "b.csv"]
    assert (tmp_path / "b.csv").read_bytes() == "csv \u00e4\r\n".encode()
    assert capsysbinary.readouterr().out == "markdown \u00e4\r\n".encode()
    assert made == ["json", "csv", "markdown"]


def test_a_dash_prints_instead_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = prepare("table", ["csv:-"])
    assert outputs.printed == "csv"
    outputs.deliver(lambda name: name)
    assert capsys.readouterr().out == "csv"


@pytest.mark.parametrize(
    ("printed", "outputs"),
    [("json", ["csv:-"]), ("table", ["csv:-", "json:-"])],
)
def test_two_documents_on_standard_output_are_refused(printed: str, outputs: list[str]) -> None:
    with pytest.raises(ExporterError, match="only one document can go to standard output"):
        prepare(printed, outputs)


def test_two_outputs_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExporterError, match="two outputs have the same file"):
        to(("csv", tmp_path / "a"), ("json", tmp_path / "b" / ".." / "a"))


def test_what_cannot_be_written_is_an_error_before_the_scan(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for file in (tmp_path / "none" / "a", tmp_path / "folder", tmp_path / "file" / "a", tmp_path / ("x" * 300)):
        with pytest.raises(ExporterError, match="cannot write"):
            to(("csv", tmp_path / "good.csv"), ("json", file))
    assert names(tmp_path) == ["file", "folder"]


def test_a_file_that_cannot_be_written_later_does_not_keep_the_others_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    outputs = to(("csv", tmp_path / "gone" / "a"), ("json", tmp_path / "b"), printed="markdown")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ExporterError, match=r"cannot write .*gone/a: No such file or directory"):
        outputs.deliver(lambda name: name)
    assert (tmp_path / "b").read_text() == "json"
    assert capsys.readouterr().out == "markdown"


def test_a_file_is_replaced_at_once_and_keeps_its_permissions(tmp_path: Path) -> None:
    file, link = tmp_path / "a", tmp_path / "link"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    before = os.open(file, os.O_RDONLY)
    to(("csv", link)).deliver(lambda _: "after")
    assert os.read(before, 100) == b"before", "who reads it sees no part of the new one"
    os.close(before)
    assert (file.read_text(), link.is_symlink(), stat.S_IMODE(file.stat().st_mode)) == ("after", True, 0o640)


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    to(("csv", tmp_path / "a")).deliver(lambda _: "")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_devices_and_pipes_are_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    to(("csv", pipe), ("json", Path("/dev/null")), ("html", Path("/dev/null"))).deliver(lambda name: name)
    assert os.read(reader, 100) == b"csv"
    os.close(reader)
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()
