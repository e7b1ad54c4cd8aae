"""OpenSSL 1.0.2e as a library: the one inside nassl, which still has SSL 2 and 3, export suites and zlib.

sslyze, which the tests compare with, brings nassl, and nassl's extension module has this OpenSSL linked in with its
symbol table. The functions are called where that table says they are. All calls hold the interpreter's lock, as an
OpenSSL of that age wants one as soon as there are two threads; so sockets are not its business but its caller's.
"""

import ctypes
import struct
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_long, c_ulong, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VERSION = b"OpenSSL 1.0.2e"

# From ssl.h, tls1.h and rsa.h of 1.0.2.
NO_VERSION = {"SSL2": 0x01000000, "SSL3": 0x02000000, "TLS1": 0x04000000, "TLS1.1": 0x10000000, "TLS1.2": 0x08000000}
NO_COMPRESSION = 0x00020000
SET_TMP_RSA, SET_TMP_DH, SET_OPTIONS, SET_MAX_SEND_FRAGMENT, SET_ECDH_AUTO = 2, 3, 32, 52, 94
VERIFY_PEER, FAIL_IF_NO_PEER_CERT = 1, 2
HANDSHAKE_START = 0x10
WANT_READ, ZERO_RETURN = 2, 6
NO_PADDING = 3
ESTABLISHED = 3  # SSL_ST_OK
INFO_CALLBACK = ctypes.PYFUNCTYPE(None, c_void_p, c_int, c_int)
PRIVATE_DECRYPT = ctypes.PYFUNCTYPE(c_int, c_int, c_void_p, c_void_p, c_void_p, c_int)

_SYMBOL_TABLE, _FUNCTION = 2, 2  # SHT_SYMTAB and STT_FUNC (elf.h)


def _functions(image: bytes) -> dict[str, int]:
    """Every function of a 64-bit ELF file and where it is, local ones too."""
    (start,) = struct.unpack_from("<Q", image, 40)
    size, count = struct.unpack_from("<HH", image, 58)
    sections = [struct.unpack_from("<IIQQQQII", image, start + number * size) for number in range(count)]
    found = {}
    for _, kind, _, _, offset, length, names, _ in sections:
        if kind != _SYMBOL_TABLE:
            continue
        strings = sections[names][4]
        for name, info, _, _, value, _ in struct.iter_unpack("<IBBHQQ", image[offset : offset + length]):
            if info & 15 == _FUNCTION and value:
                at = strings + name
                found[image[at : image.index(0, at)].decode()] = value
    return found


class Library:
    """Its functions by name, as methods would be: `library("SSL_new", c_void_p, c_void_p)(context)`."""

    def __init__(self) -> None:
        spec = find_spec("nassl._nassl_legacy")
        assert spec is not None, "nassl has no module for old OpenSSL any more"
        assert spec.origin is not None
        image = Path(spec.origin).read_bytes()
        assert VERSION in image, f"nassl has another OpenSSL than {VERSION.decode()}: what it can do is to be seen anew"
        self._offsets = _functions(image)
        assert "SSLv23_server_method" in self._offsets, "nassl's module comes without its symbol table"
        self._module = ctypes.PyDLL(spec.origin)
        known = ctypes.cast(self._module.PyInit__nassl_legacy, c_void_p).value
        assert known is not None
        self._base = known - self._offsets["PyInit__nassl_legacy"]

    def __call__(self, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:  # noqa: ANN401 - ctypes' types
        function: Callable[..., Any] = ctypes.PYFUNCTYPE(result, *arguments)(self._base + self._offsets[name])
        return function


@cache
def library() -> Library:
    """The one library, ready for use."""
    loaded = Library()
    loaded("SSL_library_init", c_int)()
    loaded("SSL_load_error_strings", None)()
    return loaded


def _checked(result: int | None, what: str) -> int:
    """What a function gave, unless it failed."""
    assert result is not None
    assert result > 0, f"OpenSSL refuses {what}"
    return result


class Context:
    """An SSL_CTX of a server with this certificate and key."""

    def __init__(self, pem: Path, suites: str, versions: set[str]) -> None:
        method = library()("SSLv23_server_method", c_void_p)()
        self.pointer = _checked(library()("SSL_CTX_new", c_void_p, c_void_p)(method), "a context")
        self.control(SET_OPTIONS, sum(bit for name, bit in NO_VERSION.items() if name not in versions))
        self.control(SET_ECDH_AUTO, 1)
        take = library()("SSL_CTX_set_cipher_list", c_int, c_void_p, c_char_p)
        _checked(take(self.pointer, suites.encode()), suites)
        file = str(pem).encode()
        chain = library()("SSL_CTX_use_certificate_chain_file", c_int, c_void_p, c_char_p)
        _checked(chain(self.pointer, file), str(pem))
        key = library()("SSL_CTX_use_PrivateKey_file", c_int, c_void_p, c_char_p, c_int)
        _checked(key(self.pointer, file, 1), str(pem))

    def control(self, command: int, number: int, pointer: int | None = None) -> None:
        """SSL_CTX_ctrl."""
        call = library()("SSL_CTX_ctrl", c_long, c_void_p, c_int, c_long, c_void_p)
        _checked(call(self.pointer, command, number, pointer), f"setting {command}")

    def use_export_key(self) -> None:
        """A 512-bit RSA key for export suites, made now; without one, 1.0.2 has none of those with RSA."""
        number = library()("BN_new", c_void_p)()
        library()("BN_set_word", c_int, c_void_p, c_ulong)(number, 65537)
        key = library()("RSA_new", c_void_p)()
        make = library()("RSA_generate_key_ex", c_int, c_void_p, c_int, c_void_p, c_void_p)
        _checked(make(key, 512, number, None), "an RSA key of 512 bits")
        self.control(SET_TMP_RSA, 0, key)

    def use_prime(self, prime: int) -> None:
        """This group, with generator 2, for finite-field key exchanges; an export suite takes 512 bits at most."""
        encoded = _sequence(_integer(prime) + _integer(2))
        cursor = c_char_p(encoded)
        parse = library()("d2i_DHparams", c_void_p, c_void_p, c_void_p, c_long)
        self.control(SET_TMP_DH, 0, _checked(parse(None, ctypes.byref(cursor), len(encoded)), "the prime"))

    def trust(self, pem: str) -> None:
        """What the certificates of clients verify against."""
        take = library()("SSL_CTX_load_verify_locations", c_int, c_void_p, c_char_p, c_char_p)
        _checked(take(self.pointer, pem.encode(), None), pem)

    def ask_for_certificate(self, *, demand: bool = False) -> None:
        """Clients may show one, or have to."""
        mode = VERIFY_PEER | (FAIL_IF_NO_PEER_CERT if demand else 0)
        library()("SSL_CTX_set_verify", None, c_void_p, c_int, c_void_p)(self.pointer, mode, None)

    def on_info(self, callback: Any) -> None:  # noqa: ANN401 - an INFO_CALLBACK
        """What is called at the beginning of a handshake, among others."""
        library()("SSL_CTX_set_info_callback", None, c_void_p, c_void_p)(
            self.pointer, ctypes.cast(callback, c_void_p).value
        )


def _integer(number: int) -> bytes:
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return _element(2, content)


def _sequence(content: bytes) -> bytes:
    return _element(0x30, content)


def _element(tag: int, content: bytes) -> bytes:
    """DER, up to 65,535 bytes."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    return bytes([tag, 0x82]) + length.to_bytes(2, "big") + content


class Session:
    """An SSL between two buffers: bytes of the client go in, bytes for it come out."""

    def __init__(self, context: Context) -> None:
        self.pointer = _checked(library()("SSL_new", c_void_p, c_void_p)(context.pointer), "a session")
        memory = library()("BIO_s_mem", c_void_p)()
        new = library()("BIO_new", c_void_p, c_void_p)
        self._in, self._out = new(memory), new(memory)
        library()("SSL_set_bio", None, c_void_p, c_void_p, c_void_p)(self.pointer, self._in, self._out)
        library()("SSL_set_accept_state", None, c_void_p)(self.pointer)

    def feed(self, data: bytes) -> None:
        """Bytes that the client sent."""
        library()("BIO_write", c_int, c_void_p, c_char_p, c_int)(self._in, data, len(data))

    def read(self) -> tuple[bytes, bool]:
        """The handshake as far as it goes, then what the client said; and whether the connection may go on."""
        buffer = ctypes.create_string_buffer(16384)
        library()("ERR_clear_error", None)()
        count = library()("SSL_read", c_int, c_void_p, c_void_p, c_int)(self.pointer, buffer, len(buffer))
        if count > 0:
            return buffer.raw[:count], True
        return b"", library()("SSL_get_error", c_int, c_void_p, c_int)(self.pointer, count) == WANT_READ

    def write(self, data: bytes) -> None:
        """Bytes for the client, enciphered."""
        library()("SSL_write", c_int, c_void_p, c_char_p, c_int)(self.pointer, data, len(data))

    def drain(self) -> bytes:
        """What is to be sent."""
        buffer = ctypes.create_string_buffer(65536)
        read = library()("BIO_read", c_int, c_void_p, c_void_p, c_int)
        sent = b""
        while (count := read(self._out, buffer, len(buffer))) > 0:
            sent += buffer.raw[:count]
        return sent

    @property
    def established(self) -> bool:
        """Whether no handshake is under way and one has been done."""
        return bool(library()("SSL_state", c_int, c_void_p)(self.pointer) == ESTABLISHED)

    def free(self) -> None:
        """The end of it."""
        library()("SSL_free", None, c_void_p)(self.pointer)


def watch_rsa(callback: Callable[[bytes], None]) -> Any:  # noqa: ANN401 - to be kept alive by the caller
    """Has the callback called with what an RSA key exchange decrypted to, padding and all, before OpenSSL looks at it.

    Of all keys that are loaded from now on. The method of 1.0.2 is a struct of pointers whose fifth is the one.
    """
    original = library()("RSA_get_default_method", c_void_p)()
    method = (c_void_p * 14)()
    ctypes.memmove(method, original, ctypes.sizeof(method))
    assert method[4] is not None
    decrypt = PRIVATE_DECRYPT(method[4])

    def watched(length: int, source: int, target: int, key: int, padding: int) -> int:
        plain = ctypes.create_string_buffer(length)
        if decrypt(length, source, ctypes.addressof(plain), key, NO_PADDING) == length:
            callback(plain.raw)
        return int(decrypt(length, source, target, key, padding))

    kept = PRIVATE_DECRYPT(watched)
    method[4] = ctypes.cast(kept, c_void_p)
    library()("RSA_set_default_method", None, c_void_p)(ctypes.addressof(method))
    return method, kept, decrypt
