"""Name to address, by the system's resolver: what the machine's own clients would connect to (hosts file included)."""

import asyncio
import socket
import threading

from exporter.errors import ProbeError
from exporter.model import Reason, is_ip


async def resolve(host: str, port: int) -> str:
    """One address for the host, in the system's order of preference (RFC 6724).

    getaddrinfo cannot be cancelled, and the loop's thread pool is waited for when the program ends; so it runs in a
    daemon thread of its own, which a stop does not wait for.

    Raises:
        ProbeError: `dns_nxdomain` when the name does not exist or has no address, `dns_error` for every other answer.
    """
    if is_ip(host):
        return host
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def settle(address: str | None, error: OSError | UnicodeError | None) -> None:
        if answer.done():
            return
        if address is not None:
            answer.set_result(address)
        else:
            answer.set_exception(error or OSError("no address"))

    def look_up() -> None:
        address, error = None, None
        try:
            address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as caught:
            error = caught
        try:
            loop.call_soon_threadsafe(settle, address, error)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            return

    threading.Thread(target=look_up, name=f"resolve-{host}", daemon=True).start()
    try:
        return await answer
    except socket.gaierror as error:
        missing = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        reason = Reason.DNS_NXDOMAIN if missing else Reason.DNS_ERROR
        raise ProbeError(reason, f"{host}: {error.strerror}") from error
    except (OSError, UnicodeError) as error:
        raise ProbeError(Reason.DNS_ERROR, f"{host}: {error}") from error
