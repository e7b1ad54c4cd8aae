"""The URL at which people reach the pages, for links from alerts and dashboards."""

from exporter.config.http_url import parse_http_url


def parse_external_url(text: str) -> str:
    """The URL in its normal form, without a slash at its end: paths of pages are appended to it.

    Raises:
        ValueError: it is not an absolute URL, or has a user, a query or a fragment.
    """
    if "?" in text or "#" in text:
        raise ValueError("has a query or a fragment, which a path cannot be appended to")
    if "@" in text:
        raise ValueError("has a user or a password, which everybody would read in the metrics")
    url = parse_http_url(text)
    return f"{url.origin}{url.path}".rstrip("/")


def default_external_url(host_name: str, port: int, *, tls: bool) -> str:
    """The URL by the name of this machine and the port, as Prometheus' default is."""
    return f"{'https' if tls else 'http'}://{host_name}:{port}"
