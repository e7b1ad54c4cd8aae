"""Shows what a client offers: listens on loopback, runs a client if one is given, and reads one ClientHello.

    python -m tools.capture_client curl --connect-to www.test.example:443:127.0.0.1:{port} https://www.test.example/

{port} in the command is replaced by the port. The output goes into exporter/data/clients.yaml. Add what a hello does
not show: the client's id, name and kinds, its limits, and the versions below the newest one if the hello does not list
them.
"""

import argparse
import asyncio
import subprocess
import sys

from exporter.model import Protocol
from exporter.tls.suites import VERSION_CODES
from tests.support.scripted import Hello, read_hello

SUPPORTED_VERSIONS = 43
PROTOCOLS = {code: protocol for protocol, code in VERSION_CODES.items()}


def is_grease(code: int) -> bool:
    """Whether it is a reserved value without a meaning (RFC 8701)."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def _codes(codes: tuple[int, ...]) -> str:
    return " ".join(f"{code:04X}" for code in codes if not is_grease(code))


def _yaml(value: str) -> str:
    """The value as YAML; a single code is quoted, because it looks like a number."""
    return f"'{value}'" if value.isalnum() and len(value) == 4 and value != "true" else value


def described(hello: Hello) -> dict[str, str]:
    """Keys of an entry in the data file, as text; without `min_protocol` if the hello does not list versions."""
    extensions = hello.extensions
    versions = extensions.get(SUPPORTED_VERSIONS, b"")[1:]
    named = [int.from_bytes(versions[at : at + 2], "big") for at in range(0, len(versions), 2)]
    known = [list(Protocol).index(PROTOCOLS[code]) for code in named if code in PROTOCOLS]
    entry = {}
    if known:
        entry["min_protocol"] = list(Protocol)[min(known)].value
    newest = list(Protocol)[max(known)] if known else PROTOCOLS[hello.version]
    entry["max_protocol"] = newest.value
    entry["sends_sni"] = "true" if 0 in extensions else "false"
    entry["suites"] = _codes(hello.suites)
    for key, extension, codes in (
        ("groups", 10, hello.groups),
        ("shares", 51, hello.key_shares),
        ("schemes", 13, hello.schemes),
    ):
        if extension in extensions:
            entry[key] = _codes(codes)
    return entry


async def capture(command: list[str], seconds: float) -> Hello | None:
    """The first hello of the client; None if none arrived in time."""
    heard: asyncio.Queue[Hello | None] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await read_hello(reader)
        writer.close()
        if hello is not None:
            heard.put_nowait(hello)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = str(server.sockets[0].getsockname()[1])
        client = None
        if command:
            words = [word.replace("{port}", port) for word in command]
            client = await asyncio.create_subprocess_exec(
                *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        else:
            sys.stderr.write(f"connect to 127.0.0.1 port {port}\n")
        try:
            return await asyncio.wait_for(heard.get(), seconds)
        except TimeoutError:
            return None
        finally:
            if client is not None and client.returncode is None:
                client.terminate()
                await client.wait()


def main() -> None:
    """Print what the client offers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long to wait for a hello")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the client; without it, wait for one")
    arguments = parser.parse_args()
    hello = asyncio.run(capture(arguments.command, arguments.seconds))
    if hello is None:
        sys.exit("no ClientHello arrived")
    for key, value in described(hello).items():
        sys.stdout.write(f"{key}: {_yaml(value)}\n")


if __name__ == "__main__":
    main()
