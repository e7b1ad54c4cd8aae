"""The fenced blocks of documents, and a shell that they are typed into."""

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.processes import end, start

FENCE = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n\n?)?"
    r"(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
NAMED = re.compile(r"# ([\w./-]+\.[\w-]+)\n")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: where it begins, from 1.
        not_run: why no test runs it; empty if one does.
    """

    page: Path
    line: int
    language: str
    text: str
    not_run: str

    @property
    def file_name(self) -> str | None:
        """The name of the file that it is, if its first line is a comment with one."""
        named = NAMED.match(self.text)
        return named[1] if named else None

    @property
    def commands(self) -> list[str]:
        """The commands of a block: logical lines, without prompts, output, comments and here-documents."""
        if self.language == "console":
            lines = [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]
        else:
            text = re.sub(r"<<-?'?(\w+)'?[^\n]*\n.*?^\1$", "", self.text, flags=re.MULTILINE | re.DOTALL)
            lines = text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]

    @property
    def sessions(self) -> list[tuple[str, str]]:
        """The commands of a `console` block, each with what it prints."""
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of the page, without the indentation that they have in lists."""
    source = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(source):
        text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        line = source.count("\n", 0, found.start("language")) + 1
        yield Block(page, line, found["language"], text, found["why"] or "")


_MATCH = "import re, sys; sys.exit(not re.fullmatch(open(sys.argv[1]).read(), sys.stdin.read().strip()))"
_START = """\
set -eE
trap 'echo "line $LINENO of the script failed"' ERR
cd "$HOME"
repeat() { # FILE COMMAND: until what it prints is as in the file
    for _ in $(seq 150); do
        printed=$(eval "$2") || true
        if printf '%s' "$printed" | "$TEST_PYTHON" -c "$TEST_MATCH" "$1"; then return; fi
        sleep 1
    done
    echo "not as on the page: $2"
    printf '%s\n' "$printed"
    return 1
}
"""


def typed(page: Path, folder: Path, *, instead: Mapping[str, str], fails: str = "") -> str:
    """A script that does what the page says, block by block.

    Files are written. A command of a `console` block is repeated until it prints what is shown, for some minutes.
    There, `...` is for any text, and a space for any number of spaces.

    Args:
        page: the document.
        folder: for files of the script itself.
        instead: texts of the page, and what the script has in their place, such as ports.
        fails: commands that begin with this may have the exit code 1.
    """
    parts = [_START]
    for number, block in enumerate(blocks(page)):
        if block.not_run:
            continue
        text = _replaced(block.text, instead)
        if block.language == "console":
            for at, (command, shown) in enumerate(replace(block, text=text).sessions):
                expected = folder / f"{number}-{at}.regex"
                expected.write_text(_pattern(shown), encoding="utf-8")
                parts.append(f"repeat {shlex.quote(str(expected))} {shlex.quote(command)}\n")
        elif block.language == "sh":
            parts.append(f"set +e\n{text}[ $? -le 1 ]\nset -e\n" if fails and text.startswith(fails) else text)
        elif block.file_name:
            parts.append(f"cat >{block.file_name} <<'END OF THE FILE'\n{text}END OF THE FILE\n")
    return "\n".join(parts)


def _replaced(text: str, instead: Mapping[str, str]) -> str:
    return re.sub("|".join(map(re.escape, instead)), lambda found: instead[found[0]], text) if instead else text


def _pattern(shown: str) -> str:
    words = [re.escape(word).replace(re.escape("..."), ".*") for word in shown.split()]
    return r"\s+".join(words)


def follow(script: str, home: Path, *, ends: str = "") -> str:
    """What the script prints. It has this home folder; `ends` is run at its end, also if it fails."""
    file, log = home.parent / "script.sh", home.parent / "script.log"
    file.write_text(f"trap 'set +e; trap - ERR; kill $(jobs -p) 2>/dev/null; {ends}' EXIT\n{script}", encoding="utf-8")
    environment = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/bin:/bin",
        "COLUMNS": "200",
        "TEST_PYTHON": sys.executable,
        "TEST_MATCH": _MATCH,
    }
    with log.open("wb") as output:
        process = start(["bash", str(file)], output, folder=home, environment=environment)
        try:
            code = process.wait(timeout=600)
        finally:
            end(process)
    said = log.read_text(encoding="utf-8", errors="replace")
    assert code == 0, said[-4000:]
    return said
