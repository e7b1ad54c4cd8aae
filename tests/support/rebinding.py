"""A machine of its own, in new namespaces: its name server changes its mind, and its daemon is asked by /probe.

Usage, as root or with user namespaces: `unshare -rmn PYTHON rebinding.py FOLDER`. It prints one JSON object. The first
answer for `*.example` is a public address, which is on the loopback interface here. All further answers are 127.0.0.1.
"""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

PUBLIC, INSIDE, PORT = "203.0.113.7", "127.0.0.1", 443
ALIAS = "alias.example."
CONFIG = """
global: {timeout: 300ms, resolver: {nameservers: [127.0.0.1], timeout: 500ms}}
probe:
  allow:
    - {hosts: ["*"], cidrs: [0.0.0.0/0, "::/0"]}
    - {hosts: ["*"]}
"""


def name_server(asked: list[str]) -> None:
    """Answer on port 53, for ever."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve() -> None:
        while True:
            data, client = server.recvfrom(4096)
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query, recursion_available=True)
            (question,) = query.question
            name = question.name.to_text()
            if question.rdtype == dns.rdatatype.A:
                if name == ALIAS:
                    reply.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", "localhost."))
                    name = "localhost."
                address = PUBLIC if name != "localhost." and name not in asked else INSIDE
                asked.append(name)
                reply.answer.append(dns.rrset.from_text(name, 0, "IN", "A", address))
            server.sendto(reply.to_wire(), client)

    threading.Thread(target=serve, daemon=True).start()


def listen(address: str, counts: dict[str, int]) -> None:
    """Accept and close connections, and count them."""
    listener = socket.create_server((address, PORT))
    counts[address] = 0

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            counts[address] += 1
            connection.close()

    threading.Thread(target=serve, daemon=True).start()


def ask(target: str) -> tuple[int, str]:
    """The status and the body."""
    url = f"http://127.0.0.1:19443/probe?target={urllib.parse.quote(target)}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status), str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.code, str(error.read().decode())


def main(folder: Path) -> None:
    """Ask, and print what came of it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{PUBLIC}/32", "dev", "lo"], check=True)
    for path, text in (("/etc/resolv.conf", "nameserver 127.0.0.1\n"), ("/etc/hosts", ""), ("/etc/gai.conf", "")):
        own = folder / Path(path).name
        own.write_text(text)
        if Path(path).exists():
            subprocess.run(["mount", "--bind", str(own), path], check=True)
    asked: list[str] = []
    counts: dict[str, int] = {}
    name_server(asked)
    for address in (PUBLIC, INSIDE):
        listen(address, counts)
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={config}"]
    with (folder / "exporter.log").open("wb") as log:
        daemon = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:19443"], stderr=log)
    try:
        for _ in range(600):
            if daemon.poll() is None and _ready():
                break
            time.sleep(0.1)
        said = {target: ask(target) for target in ("www.example", "alias.example", "localhost", "127.0.0.1")}
    finally:
        daemon.terminate()
        daemon.wait(30)
    sys.stdout.write(json.dumps({"said": said, "counts": counts, "asked": asked}) + "\n")


def _ready() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:19443/-/ready", timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
