"""Run as a program: a TLS server on asyncio and ssl with their defaults. Arguments: port, PEM file."""

import asyncio
import ssl
import sys


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read(4096)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program
    finally:
        writer.close()


async def main() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[2])
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]), ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
