"""The text form of an address to listen on."""

from exporter.errors import ExporterError


def parse_address(text: str) -> tuple[str, int]:
    """Parse `host:port`, `:port` (every address) or `[::1]:port`.

    Raises:
        ExporterError: it is none of them.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise ExporterError(f"{text!r} is not an address to listen on; write :19443, 127.0.0.1:19443 or [::1]:19443")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare and bare == host:
        raise ExporterError(f"{text!r}: write an IPv6 address in brackets")
    return bare, int(port)
