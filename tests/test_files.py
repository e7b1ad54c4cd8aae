"""Files that a configuration names: only regular ones of limited size are read."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.__main__ import main
from exporter.cli import exits
from exporter.cli.policies import named_policy
from exporter.config import Config
from exporter.errors import ConfigError
from exporter.files import MAX_BYTES, View, one_view, read_dated_file, read_file, seen_now
from exporter.policies import read_config

SECRET = "hunter2secret"  # noqa: S105 - must not be shown


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**30)


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a regular file"),
    "fifo": (_fifo, "it is a FIFO, not a regular file"),
    "directory": (Path.mkdir, "it is a directory, not a regular file"),
    "socket": (_socket, "it is a socket, not a regular file"),
    "huge": (_huge, "it is larger than 16 MiB"),
}


@pytest.fixture(params=SPECIAL)
def special(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file `special.yaml` in the current folder; gives the reason why it is not read."""
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    make, reason = SPECIAL[request.param]
    make(Path("special.yaml"))
    return reason


@pytest.mark.timeout(10)
def test_only_regular_files_of_limited_size_are_read(special: str) -> None:
    with pytest.raises(OSError, match=special):
        read_file("special.yaml")


PLACES = {
    "policy": ("global:\n  policy: ./special.yaml\n", "2:11: global.policy: policy file "),
    "ca_file": ("global:\n  ca_file: special.yaml\n", "2:12: global.ca_file: "),
    "trust_stores": ("global:\n  trust_stores:\n    own: special.yaml\n", "3:10: global.trust_stores.own: "),
    "eol_files": ("software:\n  eol_files:\n    - special.yaml\n", "3:7: software.eol_files.0: "),
    "cert_file": (
        "targets:\n  - host: a.example\n    tls_config:\n      cert_file: special.yaml\n      key_file: other.yaml\n",
        "4:18: targets.0.tls_config.cert_file: ",
    ),
    "key_file": (
        "targets:\n  - host: a.example\n    tls_config:\n      cert_file: other.yaml\n      key_file: special.yaml\n",
        "5:17: targets.0.tls_config.key_file: ",
    ),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("key", PLACES)
def test_every_file_of_a_configuration_is_refused_with_its_place(special: str, key: str) -> None:
    text, place = PLACES[key]
    Path("config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(Path("config.yaml"))
    found = [str(problem) for problem in caught.value.problems if "special.yaml" in str(problem)]
    assert len(found) == 1
    assert found[0].startswith(f"config.yaml:{place}")
    assert found[0].endswith(f"cannot be read: {special}")


@pytest.mark.timeout(10)
def test_the_configuration_itself_is_refused(special: str) -> None:
    with pytest.raises(ConfigError, match=f"special.yaml:1:1: cannot be read: {special}"):
        read_config(Path("special.yaml"))


@pytest.mark.timeout(10)
@pytest.mark.usefixtures("special")
def test_a_policy_cannot_extend_it() -> None:
    Path("own.yaml").write_text("extends: ./special.yaml\nchecks: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"own.yaml:1:10: extends: './special.yaml' is not a file"):
        named_policy("own.yaml")


OTHER_FILES = (
    f"root:{SECRET}:19000:0:99999:7:::\n",
    f"password: {SECRET}\n",
    f"{SECRET}: password\n",
    f"{SECRET}: 1\n{SECRET}: 2\n",
    f"name: {SECRET}!\nversion: {SECRET}\n",
    f"- {SECRET}\n",
    f"!{SECRET} a\n",
    f"&{SECRET} a: &{SECRET} b\n",
    f"*{SECRET}\n",
    f"%{SECRET}\n---\n",
    f"{SECRET}: [\n",
    f"{SECRET}: a: b\n",
    f"'{SECRET}\n",
    f"\t{SECRET}: '\n",
    f"{SECRET}\x00\n",
    f'{{"password": "{SECRET}"}}',
    f'["{SECRET}"]',
    f'{{"{SECRET}": 1, "{SECRET}": 2}}',
    f"-----BEGIN {SECRET}-----\n{SECRET}\n-----END {SECRET}-----\n",
)


@pytest.mark.parametrize("content", OTHER_FILES)
@pytest.mark.parametrize("key", PLACES)
def test_the_content_of_a_file_that_is_something_else_is_not_shown(tmp_path: Path, key: str, content: str) -> None:
    (tmp_path / "special.yaml").write_text(content, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(content, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(PLACES[key][0], encoding="utf-8")
    if key in {"ca_file", "trust_stores"}:  # what they contain is known when a chain is verified
        read_config(tmp_path / "config.yaml")
        return
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "config.yaml")
    assert SECRET not in str(caught.value)


def test_show_prints_policies_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(f"password: {SECRET}\n", encoding="utf-8")
    assert main(["policies", "show", str(file)]) == exits.USAGE
    assert capsys.readouterr() == ("", f"{file}:1:1: is not a policy file\n")


def test_a_view_reads_each_file_once(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1")
    with one_view() as view:
        assert read_file(file) == b"1"
        file.write_bytes(b"2")
        assert read_file(file) == b"1"
        with one_view() as inner:
            assert inner is view
            assert read_file(file) == b"1"
    assert read_file(file) == b"2"
    assert seen_now(view.fingerprint()) != view.fingerprint()


def test_a_fingerprint_changes_with_the_content_only(tmp_path: Path) -> None:
    plain, dated, missing = (tmp_path / name for name in ("plain", "dated", "missing"))
    for file in (plain, dated):
        file.write_bytes(b"1")
    with one_view() as view:
        read_file(plain)
        read_dated_file(dated)
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                read_file(missing)
    before = view.fingerprint()
    assert set(before) == {str(plain), str(dated), str(missing)}
    os.utime(plain, ns=(0, 1))
    assert seen_now(before) == before
    missing.write_bytes(b"")
    assert seen_now(before) != before
    missing.unlink()
    assert seen_now(before) == before
    os.utime(dated, ns=(0, 1))  # data of the same content, but of today
    assert seen_now(before) != before


def test_a_swap_of_a_symbolic_link_is_a_change(tmp_path: Path) -> None:
    """How Kubernetes updates a ConfigMap: `..data` is replaced, and the names of the files lead through it."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a").write_text(version, encoding="utf-8")
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "a").symlink_to("..data/a")
    with one_view() as view:
        assert read_file(tmp_path / "a") == b"1"
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert seen_now(view.fingerprint()) != view.fingerprint()


def test_relative_paths_start_at_the_folder_of_the_name_that_was_given(tmp_path: Path) -> None:
    """The folder behind a link of a ConfigMap is deleted with the next version."""
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1" / "config.yaml").write_text("global: {ca_file: ca.pem}\n", encoding="utf-8")
    (tmp_path / "..1" / "ca.pem").write_text("", encoding="utf-8")
    (tmp_path / "..data").symlink_to("..1")
    for name in ("config.yaml", "ca.pem"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    config: Config = read_config(tmp_path / "config.yaml")
    assert config.global_.ca_file == str(tmp_path / "ca.pem")


def test_a_view_knows_the_file_that_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    view, opens = View(), os.open

    def note(path: str, flags: int) -> int:
        seen.append(view.reading)
        return opens(path, flags)

    (tmp_path / "a").write_bytes(b"1")
    monkeypatch.setattr(os, "open", note)
    with one_view(view):
        read_file(tmp_path / "a")
    seen_now(view.fingerprint(), view)
    assert seen == [str(tmp_path / "a")] * 2
    assert view.reading is None


def test_a_file_as_large_as_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.truncate(tmp_path / "a", MAX_BYTES)
    assert len(read_file(tmp_path / "a")) == MAX_BYTES
    os.truncate(tmp_path / "a", MAX_BYTES + 1)
    with pytest.raises(OSError, match="it is larger than 16 MiB"):
        read_file(tmp_path / "a")


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    assert read_file("/proc/self/status").startswith(b"Name:")
