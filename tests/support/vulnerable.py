"""For every attack a vulnerable server and one that is not, and servers that are hostile to scanners.

Every attack has real TLS. If current servers are not vulnerable, OpenSSL 1.0.2e is used (old_openssl_server.py). It is
vulnerable to everything except Heartbleed, CCS injection and ROBOT. For these three its bytes on the wire are changed,
and the unchanged server is the one that is not vulnerable.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.support.plain import Handler, drip
from tests.support.processes import free_port, running
from tests.support.scripted import Stack, alert, read_hello, record
from tests.support.servers import SEED_NGINX, Pki, apache, nginx
from tests.support.stacks import gnutls, openssl_server, stunnel

ROOT = Path(__file__).parents[2]

Start = Callable[[Path, Pki], AbstractContextManager[int]]
"""Runs a server in this folder with these certificates; yields the port."""


@contextmanager
def old_openssl(folder: Path, certificate: Path, **settings: Any) -> Iterator[int]:  # noqa: ANN401 - JSON
    """A server on OpenSSL 1.0.2e with these settings (old_openssl_server.py), on `port` if given; yields the port."""
    port = settings.pop("port", None) or free_port()
    module = ["-m", "tests.support.old_openssl_server"]
    command = [sys.executable, *module, str(port), str(certificate), json.dumps(settings)]
    with running(command, folder / "old_openssl.log", port=port, environment={"PYTHONPATH": str(ROOT)}):
        yield port


def _old(**settings: Any) -> Start:  # noqa: ANN401 - JSON
    return lambda folder, pki: old_openssl(folder, pki.rsa, **settings)


def _nginx(directives: str) -> Start:
    return lambda folder, pki: nginx(folder, directives, [pki.rsa])


# --- attacks ------------------------------------------------------------------------------------------------------

TLS = ("TLS1", "TLS1.1", "TLS1.2")
ONLY_1_2 = ("TLS1.2",)
MODERN = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:AES128-GCM-SHA256:AES128-SHA"
RSA_EXCHANGE = "AES128-GCM-SHA256:AES128-SHA"

PRIME_512 = (
    "8EC16F7ECCA219E9469758AF6FCEACAAD72A3AD005BC6E08E8E10821B6277982"
    "D413BA1B15A937F76AF2A46D5C6955E6950909F48D21CF5DBAB4FC4BA7588847"
)
"""A prime that nobody else uses, made by `openssl dhparam 512`."""
OAKLEY_1024 = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)
"""The second group of RFC 2409 (6.2). The authors of Logjam estimated that a state could break it."""
FFDHE_2048 = (
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B423861285C97FFFFFFFFFFFFFFFF"
)
"""RFC 7919 (A.1)."""

PLAIN = _old(versions=TLS, suites=MODERN)
"""Has none of the attacks that are not in its suites and versions; one server, which tests scan once."""

HAS: Mapping[str, Start] = {
    "heartbleed": _old(versions=TLS, suites=MODERN, fault="heartbleed"),
    "ccs_injection": _old(versions=TLS, suites=MODERN, fault="ccs_injection"),
    "robot": _old(versions=TLS, suites=RSA_EXCHANGE, fault="robot-strong"),
    "crime": _old(versions=TLS, suites=MODERN, compression=True),
    "freak": _old(versions=TLS, suites=f"{MODERN}:EXP-DES-CBC-SHA:EXP-RC4-MD5", export_key=True),
    "logjam": _old(versions=TLS, suites=f"{MODERN}:EXP-EDH-RSA-DES-CBC-SHA", prime=PRIME_512),
    "drown": _old(versions=("SSL2", *TLS), suites=f"{MODERN}:RC4-MD5:EXP-RC2-CBC-MD5:DES-CBC3-MD5"),
    "poodle": _old(versions=("SSL3", *TLS), suites=MODERN),
    "beast": PLAIN,
    "sweet32": _old(versions=TLS, suites=f"{MODERN}:DES-CBC3-SHA"),
    "rc4": _old(versions=TLS, suites=f"{MODERN}:RC4-SHA"),
    "insecure_renegotiation": lambda folder, pki: gnutls(
        folder, pki.rsa, "NORMAL:-VERS-TLS1.3:%DISABLE_SAFE_RENEGOTIATION", "renegotiates"
    ),
    "client_renegotiation": lambda folder, pki: stunnel(
        folder, pki.rsa, "sslVersionMax = TLSv1.2\nconfig = Options:ClientRenegotiation"
    ),
}

HAS_NOT: Mapping[str, Start] = {
    "heartbleed": PLAIN,
    "ccs_injection": PLAIN,
    "robot": _old(versions=TLS, suites=RSA_EXCHANGE),
    "crime": PLAIN,
    "freak": PLAIN,
    "logjam": _old(versions=TLS, suites=f"{MODERN}:DHE-RSA-AES128-SHA", prime=FFDHE_2048),
    "drown": _old(versions=("SSL3", *TLS), suites=f"{MODERN}:RC4-MD5"),
    "poodle": _old(versions=("SSL3", *TLS), suites="RC4-SHA:AES128-GCM-SHA256"),
    "beast": _old(versions=ONLY_1_2, suites=MODERN),
    "sweet32": PLAIN,
    "rc4": PLAIN,
    "insecure_renegotiation": lambda folder, pki: gnutls(folder, pki.rsa, "NORMAL:-VERS-TLS1.3", "renegotiates"),
    "client_renegotiation": _nginx(SEED_NGINX.replace(" TLSv1.3", "")),
}

VARIANTS: Mapping[str, Start] = {
    # Records that cannot be decrypted get other alerts if the suite has no AEAD.
    "CCS injection with CBC": _old(versions=TLS, suites="AES128-SHA", fault="ccs_injection"),
    "CCS injection with RC4": _old(versions=TLS, suites="RC4-SHA", fault="ccs_injection"),
    "weak oracle": _old(versions=TLS, suites=RSA_EXCHANGE, fault="robot-weak"),
    "oracle that depends on nothing": _old(versions=TLS, suites=RSA_EXCHANGE, fault="robot-moody"),
    "no RSA key exchange": _old(versions=TLS, suites="ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA"),
    "Logjam without an export suite": _old(versions=TLS, suites=f"{MODERN}:DHE-RSA-AES128-SHA", prime=PRIME_512),
    "Logjam by a common prime": _old(versions=TLS, suites="DHE-RSA-AES128-SHA", prime=OAKLEY_1024),
    "BEAST without CBC": _old(versions=TLS, suites="RC4-SHA:AES128-GCM-SHA256"),
    "no renegotiation that closes": _old(versions=TLS, suites=MODERN, renegotiations=0),
    "three renegotiations, then closes": _old(versions=TLS, suites=MODERN, renegotiations=3),
    "renegotiation by OpenSSL 1.0.2": PLAIN,
    "no renegotiation by Apache": lambda folder, pki: apache(
        folder, "SSLProtocol TLSv1.2\nSSLHonorCipherOrder on", [pki.rsa]
    ),
    "no renegotiation by OpenSSL 3": lambda folder, pki: openssl_server(folder, pki.rsa, "-tls1_2"),
    "neither RFC 5746 nor renegotiation": lambda folder, pki: gnutls(
        folder, pki.rsa, "NORMAL:-VERS-TLS1.3:%DISABLE_SAFE_RENEGOTIATION"
    ),
    "only TLS 1.3": _nginx("ssl_protocols TLSv1.3;"),
}
"""Other servers that a test should distinguish; the name says what is special."""

# --- hostile servers ----------------------------------------------------------------------------------------------

SPITEFUL: Mapping[str, Start] = {
    name: _old(versions=TLS, suites=RSA_EXCHANGE, fault=name) for name in ("silent", "drip", "flood", "garbage")
}
"""Good servers for normal handshakes, and hostile from the first heartbeat or other unusual record on."""

_STACK = Stack({0x0303: (0x002F, 0xC02F, 0x009C), 0x0302: (0x002F,), 0x0301: (0x002F,)})


async def _flight(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes up to the ServerHelloDone."""
    hello = await read_hello(reader)
    answer = _STACK(hello) if hello else b""
    writer.write(answer if isinstance(answer, bytes) else alert(40))
    await writer.drain()


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _flight(reader, writer)
    while await reader.read(65536):
        pass


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    hello = await read_hello(reader)
    answer = _STACK(hello) if hello else b""
    await drip(writer, answer if isinstance(answer, bytes) else alert(40), 1)


async def _flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _flight(reader, writer)
    while True:
        writer.write(record(22, bytes(4)) * 1000)
        await writer.drain()


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(record(0x63, b"garbage", 0x6363) * 100)
    await writer.drain()


async def _never_a_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def _invalid_utf8_banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 \xff\xfe mail.test.example\r\n")
    await _never_a_word(reader, writer)


async def _empty_rdp_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"\x03\x00\x00\x00")  # a TPKT (RFC 1006, 6) with length 0, which does not count its header
    await _never_a_word(reader, writer)


HOSTILE: Mapping[str, Handler] = {
    "never a word": _never_a_word,
    "silent after ServerHelloDone": _silent,
    "a byte a second": _drip,
    "flood after ServerHelloDone": _flood,
    "records of no kind": _garbage,
    "SMTP banner of invalid UTF-8": _invalid_utf8_banner,
    "RDP reply of no length": _empty_rdp_reply,
}
"""Handlers for `plain_server`. None completes a handshake; the last two send bytes before TLS."""
