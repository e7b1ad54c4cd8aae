"""resolv.conf as glibc reads it."""

import socket
from pathlib import Path

import pytest

from exporter.net.resolvconf import ResolvConf, SystemResolver, read_resolv_conf


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name has no domain, and nothing is in the environment."""
    monkeypatch.setattr(socket, "gethostname", lambda: "host")
    for name in ("LOCALDOMAIN", "RES_OPTIONS"):
        monkeypatch.delenv(name, raising=False)


FILES: list[tuple[bytes, ResolvConf]] = [
    (b"", ResolvConf()),
    (b"nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ResolvConf(("192.0.2.1", "2001:db8::1"))),
    (b"nameserver fe80::1%eth0\n", ResolvConf(("fe80::1%eth0",))),
    (b"nameserver foo\nnameserver 192.0.2.1 # the router\nnameserver\n", ResolvConf(("192.0.2.1",))),
    (b"# nameserver 192.0.2.9\n;nameserver 192.0.2.8\n", ResolvConf()),
    (b"".join(b"nameserver 192.0.2.%d\n" % n for n in range(5)), ResolvConf(("192.0.2.0", "192.0.2.1", "192.0.2.2"))),
    (b"search corp.example. lan\noptions edns0 ndots:5\n", ResolvConf((), ("corp.example", "lan"), 5)),
    (b"search a.example\ndomain b.example c.example\n", ResolvConf((), ("b.example",))),
    (b"domain b.example\nsearch a.example\noptions ndots:99\n", ResolvConf((), ("a.example",), 15)),
    (b"options ndots:x\noptions timeout:30\n", ResolvConf()),
    (b"search .\n", ResolvConf((), ("",))),
    (b"# B\xfcro\r\nnameserver 192.0.2.1\r\n", ResolvConf(("192.0.2.1",))),
]


@pytest.mark.parametrize(("text", "conf"), FILES)
def test_what_a_file_says(tmp_path: Path, text: bytes, conf: ResolvConf) -> None:
    file = tmp_path / "resolv.conf"
    file.write_bytes(text)
    assert read_resolv_conf(file) == conf
    assert SystemResolver(file).read().nameservers == list(conf.nameservers)


def test_no_file_is_as_good_as_an_empty_one(tmp_path: Path) -> None:
    assert read_resolv_conf(tmp_path / "none") == ResolvConf()


def test_the_environment_and_the_name_of_the_machine_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("options ndots:2\n")
    monkeypatch.setattr(socket, "gethostname", lambda: "host.corp.example")
    assert read_resolv_conf(file) == ResolvConf((), ("corp.example",), 2)
    monkeypatch.setenv("LOCALDOMAIN", "a.example b.example")
    monkeypatch.setenv("RES_OPTIONS", "ndots:3")
    assert read_resolv_conf(file) == ResolvConf((), ("a.example", "b.example"), 3)


@pytest.mark.parametrize(
    ("name", "conf", "names"),
    [
        ("shop", ResolvConf(), ("shop",)),
        ("shop", ResolvConf((), ("a.example", "b.example")), ("shop.a.example", "shop.b.example", "shop")),
        ("shop.corp", ResolvConf((), ("a.example",)), ("shop.corp", "shop.corp.a.example")),
        ("shop.corp", ResolvConf((), ("a.example",), 2), ("shop.corp.a.example", "shop.corp")),
        ("shop", ResolvConf((), ("a.example",), 0), ("shop", "shop.a.example")),
        ("shop.", ResolvConf((), ("a.example",)), ("shop",)),
        ("shop", ResolvConf((), ("",)), ("shop",)),
        ("shop", ResolvConf((), ("a.example", "a.example")), ("shop.a.example", "shop")),
    ],
)
def test_which_names_a_name_may_mean(name: str, conf: ResolvConf, names: tuple[str, ...]) -> None:
    assert conf.names(name) == names
