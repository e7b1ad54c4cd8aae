"""Lines of remedies in real servers: each is accepted, and after a new scan the check passes."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.case import Case
from exporter.judging.check import Outcome
from exporter.model import HttpOptions, Verdict
from exporter.moments import Now
from exporter.remedies.parameters import dh_change
from exporter.remedies.servers import Server
from exporter.scan import scan
from tests.remedies.examples import BY_NAME, EXAMPLES, demand, derived, lines_of
from tests.remedies.places import complaints, serving, split
from tests.support.processes import free_port
from tests.support.servers import Pki, make_pki
from tests.support.starttls_servers import dovecot_version
from tests.support.targets import make_environment, make_target

pytestmark = pytest.mark.real

NEW_IN_HAPROXY_2_8 = "ssl-default-bind-sigalgs "
"""Debian 12 has HAProxy 2.6."""
LEAST = 31_536_000
ENOUGH = 10
"""Examples with lines for each server, at the least."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


ELSEWHERE = "/etc/ssl/"
"""Where files lie that lines name."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these files, made by the commands that remedies give."""
    folder = tmp_path_factory.mktemp("files")
    for change in map(dh_change, (2048, 3072)):
        command = here(change.what.partition(": ")[2].rstrip("."), folder)
        subprocess.run(command.split(), check=True, capture_output=True, timeout=20)
    return folder


def here(line: str, folder: Path) -> str:
    """The line with the files of the test."""
    return line.replace(ELSEWHERE, f"{folder}/")


@pytest.mark.parametrize("server", Server)
def test_every_line_is_accepted(server: Server, pki: Pki, files: Path, tmp_path: Path) -> None:
    if server is (Server.DOVECOT if dovecot_version() >= (2, 4) else Server.DOVECOT_2_4):
        pytest.skip("the other Dovecot is installed")
    asked = {example.title: [here(line, files) for line in lines_of(example, server)] for example in EXAMPLES}
    asked = {title: lines for title, lines in asked.items() if lines and not lines[0].startswith(NEW_IN_HAPROXY_2_8)}
    assert len(asked) >= ENOUGH
    with ThreadPoolExecutor(8) as pool:  # programs wait more than they work
        folders = [tmp_path / str(number) for number in range(len(asked))]
        said = list(pool.map(partial(complaints, server, pki.rsa), folders, asked.values()))
    assert {title: text for title, text in zip(asked, said, strict=True) if text} == {}


# --- the loop: a weak server is scanned, changed as its findings say, and scanned again -------------------------------

STRICT: Mapping[str, Mapping[str, Any]] = {
    "protocols": {"allowed": ["TLSv1.2", "TLSv1.3"]},
    "cipher_suites": {
        "allowed": [{"where": "aead and forward_secrecy and not anonymous"}],
        "tls13_allowed": ["TLS_AES_256_GCM_SHA384"],
    },
    "cipher_order": {"required": "server"},
    "key_exchange_groups": {"allowed": ["x25519", "secp256r1", "secp384r1"]},
    "signature_schemes": {"forbidden": ["rsa_pkcs1_sha1", "ecdsa_sha1", "rsa_pkcs1_sha224", "ecdsa_sha224"]},
    "extensions": {"forbidden": ["session_tickets"]},
    "hsts": {"min_max_age_seconds": LEAST},
    "hsts_on_errors": {"min_max_age_seconds": LEAST},
    "http_redirect": {"required": True},
}
"""What a weak server fails, and how that is put right by lines that do not overlap."""
ALONE: Mapping[str, Mapping[str, Any]] = {
    "forward_secrecy": {"required": True},
    "vulnerabilities": {"forbidden": ["beast", "freak", "logjam", "poodle", "rc4", "sweet32"]},
}
"""What gives lists of suites of its own."""

WEAK_SUITES = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_GROUPS = "prime256v1:secp521r1:X25519"
_SCHEMES = "RSA+SHA1:RSA+SHA256:RSA-PSS+SHA256"
WEAK: Mapping[Server, tuple[str, ...]] = {
    Server.NGINX: (
        "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;",
        "ssl_prefer_server_ciphers off;",
        f"ssl_ciphers {WEAK_SUITES};",
        f"ssl_ecdh_curve {_GROUPS};",
        f"ssl_conf_command SignatureAlgorithms {_SCHEMES};",
        'add_header Strict-Transport-Security "max-age=300; includeSubDomains";',
    ),
    Server.APACHE: (
        "SSLProtocol all",
        "SSLHonorCipherOrder off",
        f"SSLCipherSuite {WEAK_SUITES}",
        f"SSLOpenSSLConfCmd Groups {_GROUPS}",
        f"SSLOpenSSLConfCmd SignatureAlgorithms {_SCHEMES}",
    ),
    Server.HAPROXY: (
        "ssl-default-bind-options ssl-min-ver TLSv1.0",
        f"ssl-default-bind-ciphers {WEAK_SUITES}",
        f"ssl-default-bind-curves {_GROUPS}",
    ),
}
PLAIN: Mapping[Server, tuple[str, ...]] = {
    Server.NGINX: ("server {", "    listen {};", '    return 200 "plain";', "}"),
    Server.APACHE: ("<VirtualHost *:{}>", "    Redirect 404 /", "</VirtualHost>"),
}
"""What answers without TLS, at a port that is put in."""
FAILS = {
    Server.NGINX: STRICT.keys(),
    Server.APACHE: STRICT.keys(),
    Server.HAPROXY: STRICT.keys() - {"http_redirect"},  # nobody is at the other port
}
APART: Mapping[Server, Mapping[str, Mapping[str, Any]]] = {
    Server.HAPROXY: {
        "cipher_order": STRICT["cipher_order"],  # by a list of suites as well
        "hsts_on_errors": {"min_max_age_seconds": LEAST, "requests": ["root", "not_found"]},
    }
}
UNWRITABLE = {Server.HAPROXY: {"signature_schemes"}}


@dataclass(frozen=True)
class Look:
    """The result of one scan of a server."""

    case: Case

    def outcome(self, check: str, asked: Mapping[str, Any]) -> Outcome:
        return BY_NAME[check].judge(self.case, demand(check, **asked))

    def lines(self, server: Server, check: str, asked: Mapping[str, Any]) -> tuple[str, ...]:
        made = BY_NAME[check].advise(self.case, demand(check, **asked), self.outcome(check, asked))
        return next(one.lines for one in made if one.server == server)


def look(server: Server, folder: Path, lines: Sequence[str], pki: Pki, ports: tuple[int, int]) -> Look:
    with serving(server, folder, lines, pki.rsa, ports[0]):
        target = make_target(ports[0], http=HttpOptions(port=ports[1]), ca_file=str(pki.bundle))
        seen = asyncio.run(scan(target, make_environment()))
    return Look(derived(Case(target, seen.facts, Now(seen.ended_at))))


def key(line: str) -> tuple[str, ...]:
    """What a line sets; HAProxy's options come one to another."""
    words = line.split()
    several = {"ssl_conf_command", "SSLOpenSSLConfCmd", "add_header", "Header"}
    suites13 = words[:2] == ["SSLCipherSuite", "TLSv1.3"]
    if words[0] == "ssl-default-bind-options":
        return tuple(words)
    return tuple(words[: 2 if words[0] in several or suites13 else 1])


def changed(before: Sequence[str], made: Sequence[str]) -> list[str]:
    """The lines with those that are to take their place."""
    block, inside = split(made)
    old_block, old_inside = split(before)
    settings = {key(line) for line in inside}
    return [*(line for line in old_inside if key(line) not in settings), *inside, *(block or old_block)]


@pytest.mark.parametrize("server", WEAK)
def test_a_weak_server_that_is_changed_as_its_findings_say_passes(server: Server, pki: Pki, tmp_path: Path) -> None:
    ports = free_port(), free_port()
    before = [*WEAK[server], *(line.replace("{}", str(ports[1])) for line in PLAIN.get(server, ()))]
    weak = look(server, tmp_path / "weak", before, pki, ports)
    failing = {check for check, asked in STRICT.items() if weak.outcome(check, asked).verdict is Verdict.FAIL}
    assert failing == FAILS[server]
    apart = {**ALONE, **APART.get(server, {})}
    together = failing - apart.keys() - UNWRITABLE.get(server, set())
    made = [line for check in STRICT if check in together for line in weak.lines(server, check, STRICT[check])]
    good = look(server, tmp_path / "good", changed(before, made), pki, ports)
    verdicts = {check: good.outcome(check, STRICT[check]) for check in together}
    assert {check: one for check, one in verdicts.items() if one.verdict is not Verdict.PASS} == {}
    for check, asked in apart.items():
        assert weak.outcome(check, asked).verdict is Verdict.FAIL
        again = look(server, tmp_path / check, changed(before, weak.lines(server, check, asked)), pki, ports)
        assert again.outcome(check, asked).verdict is Verdict.PASS
