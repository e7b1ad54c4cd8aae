"""Which proxy an HTTP client uses. The rules are those of Go (golang.org/x/net/http/httpproxy)."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from exporter.config.http_client import HttpClientSettings
from exporter.config.http_url import HttpUrl
from exporter.errors import TargetError
from exporter.model import Proxy, is_ip
from exporter.net.http_get import HttpError
from exporter.services import parse_proxy


def proxy_for(url: HttpUrl, settings: HttpClientSettings, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for this URL; None for a direct connection.

    Raises:
        HttpError: the environment names a proxy that cannot be used.
    """
    if settings.proxy_from_environment:
        name = f"{url.scheme}_proxy"
        return _through(url, _variable(environment, name), _variable(environment, "no_proxy"), name.upper())
    if settings.proxy_url and settings.no_proxy:
        return _through(url, settings.proxy_url, settings.no_proxy, "proxy_url")
    return parse_proxy(settings.proxy_url) if settings.proxy_url else None


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name) or ""


def _through(url: HttpUrl, proxy: str, no_proxy: str, what: str) -> Proxy | None:
    if not proxy or _is_local(url.host) or any(_excludes(entry, url) for entry in no_proxy.split(",")):
        return None
    try:
        return parse_proxy(proxy if "://" in proxy else f"http://{proxy}")
    except TargetError as error:
        raise HttpError(f"{what} {error}") from None


def _is_local(host: str) -> bool:
    return host == "localhost" or (is_ip(host) and ip_address(host).is_loopback)


def _excludes(entry: str, url: HttpUrl) -> bool:
    """Whether an entry of NO_PROXY fits: `*`, a network, an address or a domain with its subdomains, with a port."""
    entry = entry.strip().lower()
    if entry == "*":
        return True
    if "/" in entry:
        return is_ip(url.host) and _in_network(url.host, entry)
    host, port = _split_port(entry)
    if not host or (port and port != str(url.port)):
        return False
    if is_ip(host):
        return is_ip(url.host) and ip_address(host) == ip_address(url.host)
    host = host.removeprefix("*")
    return url.host.endswith(host if host.startswith(".") else f".{host}") or url.host == host


def _in_network(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, str]:
    """Host and port; the port may be missing, and IPv6 has brackets only with a port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""
