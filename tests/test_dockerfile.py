"""Checks of the container image without building it; `tools/make-image` builds and runs it."""

import json
import re
import shlex
import tomllib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

from exporter.cli.parser import DEFAULT_ADDRESS, make_parser
from exporter.listen_address import parse_address

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PORT = parse_address(DEFAULT_ADDRESS)[1]
LOCKS = ["requirements.lock", "requirements-build.lock"]


class Instruction(NamedTuple):
    """One instruction, its continuation lines joined."""

    name: str
    text: str


def _instructions() -> list[Instruction]:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    parts = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [Instruction(name, rest) for name, rest in parts]


INSTRUCTIONS = _instructions()
FINAL = INSTRUCTIONS[max(i for i, one in enumerate(INSTRUCTIONS) if one.name == "FROM") :]
PIP_STEPS = [one.text for one in INSTRUCTIONS if one.name == "RUN" and "/pip " in one.text]


def _only(name: str, among: list[Instruction]) -> str:
    [text] = [one.text for one in among if one.name == name]
    return text


def _ignored(path: str) -> bool:
    """Whether .dockerignore keeps the path out: the last line that matches it, or a folder above it, decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = re.escape(line.removeprefix("!")).replace(r"\[", "[").replace(r"\]", "]")
        regex = pattern.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        parents = [str(parent) for parent in PurePosixPath(path).parents if parent.name]
        if any(re.fullmatch(regex, candidate) for candidate in [path, *parents]):
            ignored = not line.startswith("!")
    return ignored


def _copied() -> list[str]:
    """Sources of every COPY from the build context."""
    arguments = [shlex.split(one.text) for one in INSTRUCTIONS if one.name == "COPY"]
    return [source for words in arguments if not words[0].startswith("--from=") for source in words[:-1]]


def _pinned(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", text, re.MULTILINE))


def test_base_can_be_replaced_and_is_the_base_of_every_stage() -> None:
    assert INSTRUCTIONS[0] == Instruction("ARG", "BASE=docker.io/library/debian:bookworm-slim")
    known = {"${BASE}"}
    for text in [one.text for one in INSTRUCTIONS if one.name == "FROM"]:
        base, *named = text.split(" AS ")
        assert base in known
        known |= set(named)


def test_runs_as_a_numeric_user_that_is_not_root() -> None:
    user, group = _only("USER", FINAL).split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD"])
def test_commands_have_the_exec_form(name: str) -> None:
    words = json.loads(_only(name, FINAL))
    assert words
    assert all(isinstance(word, str) for word in words)


def test_entrypoint_is_the_console_script() -> None:
    [script] = json.loads(_only("ENTRYPOINT", FINAL))
    assert script in PROJECT["project"]["scripts"]


def test_exposes_the_default_port() -> None:
    assert int(_only("EXPOSE", FINAL)) == PORT


def test_health_check_is_a_command_of_ours_in_exec_form_that_ends_in_time() -> None:
    flags, form = _only("HEALTHCHECK", FINAL).split(" CMD ")
    [seconds] = re.findall(r"--timeout=(\d+)s", flags)
    program, *arguments = json.loads(form)
    assert [program] == json.loads(_only("ENTRYPOINT", FINAL))
    options = make_parser().parse_args(arguments)
    assert options.module == "healthcheck"
    assert options.timeout.total_seconds() < int(seconds)


def test_everything_downloaded_has_a_hash() -> None:
    assert len(PIP_STEPS) == 2
    for command in PIP_STEPS:
        words = command.split()
        assert "--no-deps" in words
        assert "--no-index" in words or ("--require-hashes" in words and "--only-binary" in words)
    steps = " ".join(PIP_STEPS)
    # What is made of one lock are its two parts: the one source that is built here, and the wheels.
    parts = re.findall(r"sed \S* ?'/\^sslyze==/,/# via/[pd]' requirements\.lock > (\S+)", steps)
    assert len(parts) == 2
    assert all(f"-r {lock}" in steps for lock in ("requirements-build.lock", *parts))
    assert len(re.findall(r" -r \S+", steps)) == 3
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (source,) = re.findall(r"^sslyze==.*?# via.*?$", lock, flags=re.DOTALL | re.MULTILINE)
    assert source.count("==") == 1


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_pin_every_line_with_a_hash_and_name_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[^ #])", text.strip())
    assert all(re.match(r"[^ ]+==[^ ]+ .*\n +--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert len(entries) == len(_pinned(lock))
    assert "://" not in text


def test_build_lock_holds_the_build_backend_that_the_developers_use() -> None:
    required = {re.split(r"[^a-z0-9-]", one)[0] for one in PROJECT["build-system"]["requires"]}
    build, dev = _pinned("requirements-build.lock"), _pinned("requirements-dev.lock")
    assert required <= build.keys()
    assert build.items() <= dev.items()


def test_copies_only_what_exists_and_reaches_the_build() -> None:
    sources = _copied()
    assert {"exporter", "pyproject.toml", *LOCKS} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not _ignored(source), source
    assert not _ignored("exporter/policies/kopano-checklist.yaml")


@pytest.mark.parametrize(
    "path",
    [
        *(".git", ".git/config", ".venv/bin/python", "tests", "tests/test_dockerfile.py", "build/image/base.tar"),
        *("exporter/__pycache__/app.cpython-311.pyc", "exporter/web/__pycache__", ".env", "config.yaml", "server.key"),
    ],
)
def test_dockerignore_keeps_out(path: str) -> None:
    assert _ignored(path)


def test_final_image_has_python_and_certificates_only() -> None:
    assert FINAL[0].text == "runtime"
    assert "RUN" not in {one.name for one in FINAL}
    assert "SHELL" not in {one.name for one in INSTRUCTIONS}
    [start] = [i for i, one in enumerate(INSTRUCTIONS) if one.text.endswith(" AS runtime")]
    assert INSTRUCTIONS[start + 1].text.startswith("SOURCE_DATE_EPOCH=")
    start += 1
    command = INSTRUCTIONS[start + 1].text
    [packages] = re.findall(r"apt-get install --yes --no-install-recommends ([^&]*)&&", command)
    assert packages.split() == ["ca-certificates", "python3"]
    assert "rm -rf /var/lib/apt/lists/*" in command
    compiled, following = INSTRUCTIONS[start + 2 : start + 4]
    assert "--invalidation-mode unchecked-hash /usr/lib/python3" in compiled.text
    assert following.name == "FROM"


def test_bytecode_does_not_depend_on_times() -> None:
    compiled = [command for one in INSTRUCTIONS for command in one.text.split("&&") if "compileall" in command]
    assert len(compiled) == 2
    for command in compiled:
        assert "--invalidation-mode unchecked-hash" in command
        assert "PYTHONHASHSEED=0" in command


def test_the_page_says_the_size_that_the_build_allows() -> None:
    [most] = re.findall(r"^most_mib=(\d+)$", (ROOT / "tools/make-image").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"at most {most} MiB" in (ROOT / "docs/install.md").read_text(encoding="utf-8")


def test_writes_no_bytecode() -> None:
    assert "PYTHONDONTWRITEBYTECODE=1" in _only("ENV", FINAL).split()


@pytest.mark.parametrize("name", ["title", "description", "licenses", "version", "revision", "source", "created"])
def test_has_the_oci_labels(name: str) -> None:
    labels = dict(word.split("=", 1) for word in shlex.split(_only("LABEL", FINAL)))
    value = labels[f"org.opencontainers.image.{name}"]
    expected = {"description": PROJECT["project"]["description"], "licenses": PROJECT["project"]["license"]}
    assert value == expected.get(name, value)
    assert value
