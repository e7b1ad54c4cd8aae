"""Run as a program: an HTTPS server on tlslite-ng. Arguments: port, PEM file, NAME=json of handshake settings."""

import json
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def make_settings(arguments: list[str]) -> Any:  # noqa: ANN401 - tlslite-ng has no types
    settings = HandshakeSettings()
    for argument in arguments:
        name, _, value = argument.partition("=")
        parsed = json.loads(value)
        setattr(settings, name, tuple(parsed) if name.endswith("Version") else parsed)
    return settings


def serve_one(raw: socket.socket, chain: Any, key: Any, settings: Any) -> None:  # noqa: ANN401 - as above
    raw.settimeout(5)
    connection = TLSConnection(raw)
    try:
        connection.handshakeServer(certChain=chain, privateKey=key, settings=settings)
        connection.recv(4096)
        connection.sendall(RESPONSE)
        connection.close()
    except Exception as error:  # noqa: BLE001 - a client that breaks off is what this server is for
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a program
    finally:
        raw.close()


def main() -> None:
    port, pem = int(sys.argv[1]), Path(sys.argv[2]).read_text()
    chain = X509CertChain()
    chain.parsePemList(pem)
    key = parsePEMKey(pem, private=True)
    settings = make_settings(sys.argv[3:])
    with socket.create_server(("127.0.0.1", port), backlog=128) as server:
        while True:
            raw, _ = server.accept()
            threading.Thread(target=serve_one, args=(raw, chain, key, settings), daemon=True).start()


if __name__ == "__main__":
    main()
