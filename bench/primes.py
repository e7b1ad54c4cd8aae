"""Run as `python -m bench.primes`: CPU time that a server's prime costs OpenSSL's client, by the length of the prime.

The answer of the server is the same as that of a hostile one: an anonymous suite, so that nothing has to be signed, and
numbers of the right length, which need not be primes.
"""

import time
from contextlib import suppress

from OpenSSL import SSL

from exporter.net.openssl import ClientOffer, make_context
from tests.support.scripted import extension, message, prime_message, record, server_hello_message

BITS = (1024, 2048, 3072, 4096, 6144, 8192, 9984)
_TLS1_2, _ADH_AES128_SHA, _RENEGOTIATION_INFO = 0x0303, 0x0034, 0xFF01


def flight(bits: int) -> bytes:
    """The first flight of a server with a number of this length as its prime."""
    safe = extension(_RENEGOTIATION_INFO, b"\x00")
    hello = server_hello_message(_TLS1_2, _ADH_AES128_SHA, extensions=safe)
    return record(22, hello + prime_message((1 << bits) - 1) + message(14))


def seconds(bits: int) -> float:
    """CPU time of a client's step after this flight, in which it makes its key and the shared one."""
    client = SSL.Connection(make_context(ClientOffer(), None), None)
    client.set_connect_state()
    with suppress(SSL.WantReadError):
        client.do_handshake()
    client.bio_write(flight(bits))
    begun = time.thread_time()
    with suppress(SSL.WantReadError):
        client.do_handshake()
    return time.thread_time() - begun


if __name__ == "__main__":
    print(SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode())  # noqa: T201 - a program
    for size in BITS:
        print(f"{size} bits: {seconds(size):.3f} s")  # noqa: T201 - as above
