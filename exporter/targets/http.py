"""`http_sd_configs`: lists of targets from an HTTP server (JSON), which is asked at an interval."""

import asyncio
import hashlib
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import urljoin

from exporter.config import Config
from exporter.config.http_client import HttpSource
from exporter.config.http_url import HttpUrl, parse_http_url
from exporter.files import MAX_BYTES, View
from exporter.net.http_get import HttpAnswer, HttpError, Way, http_get
from exporter.quoting import quoted
from exporter.reading import Reader, StorageError
from exporter.targets.documents import read_json
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.http_identity import ClientIdentity, read_identity
from exporter.targets.http_proxies import proxy_for
from exporter.targets.sources import Pause, Sink, poll

LONGEST = timedelta(seconds=60)
"""Time limit of one request with all of its redirects. Prometheus allows a refresh_interval, which may be hours."""
READ_WITHIN = timedelta(seconds=10)
MOST_READS = 2
MOST_REDIRECTS = 10
"""Source: defaultCheckRedirect in net/http of Go."""
URL = "__meta_url"

_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_JSON = re.compile(r'application/json(;\s*charset=("utf-8"|utf-8))?', re.IGNORECASE | re.ASCII)
"""Source: matchContentType in discovery/http/http.go of Prometheus."""


class PolledUrl:
    """One entry of `http_sd_configs`."""

    def __init__(self, settings: HttpSource, environment: Mapping[str, str], pause: Pause = asyncio.sleep) -> None:
        self._settings = settings
        self._url = parse_http_url(settings.url)
        self._environment = environment
        self._pause = pause
        self._reader = Reader(READ_WITHIN, MOST_READS)
        self._limit = min(settings.refresh_interval, LONGEST)
        self._digest = b""
        self._good: tuple[Group, ...] = ()

    async def run(self, sink: Sink) -> None:
        """Ask for the list at once, and then at each interval. See `TargetSource`."""
        await poll(self._refresh, self._settings.refresh_interval, sink, self._pause)

    async def _refresh(self) -> Sequence[Group]:
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                identity = await self._reader.read(partial(read_identity, self._settings))
                answer = await self._follow(identity)
                return await self._reader.read(partial(self._groups, answer))
        except TimeoutError:
            raise DiscoveryError(f"{self._url}: no complete answer within {self._limit.total_seconds():g} s") from None
        except (HttpError, StorageError) as error:
            raise DiscoveryError(f"{self._url}: {error}") from error

    async def _follow(self, identity: ClientIdentity) -> HttpAnswer:
        """The answer, after redirects."""
        url = self._url
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._ask(url, identity)
            location = answer.field(b"location")
            if not self._settings.follow_redirects or answer.status not in _REDIRECTS or not location:
                return answer
            url = _redirected(url, location)
        raise HttpError(f"more than {MOST_REDIRECTS} redirects")

    async def _ask(self, url: HttpUrl, identity: ClientIdentity) -> HttpAnswer:
        """One request. Only the configured server gets credentials, not one that it redirects to."""
        ours = url.origin == self._url.origin
        tls = self._settings.tls_config
        way = Way(
            proxy_for(url, self._settings, self._environment),
            identity.tls if ours else identity.tls_elsewhere,
            tls.server_name if tls and ours else None,
        )
        return await http_get(url, identity.fields if ours else identity.fields_elsewhere, way, MAX_BYTES)

    def _groups(self, answer: HttpAnswer, _view: View) -> tuple[Group, ...]:
        """The groups of an answer, in a thread."""
        if answer.status != _OK:
            raise HttpError(f"the server answered with status {answer.status}")
        kind = answer.field(b"content-type").strip()
        if not _JSON.fullmatch(kind):
            raise HttpError(f"the content type is {quoted(kind)}, not application/json")
        content = _decoded(answer)
        digest = hashlib.sha256(content).digest()
        if digest != self._digest:  # usually nothing has changed
            self._good = read_json(str(self._url), content, {URL: self._settings.url})
            self._digest = digest
        return self._good


def _redirected(url: HttpUrl, location: str) -> HttpUrl:
    try:
        there = parse_http_url(urljoin(url.origin + url.path, location))
    except ValueError as error:
        raise HttpError(f"the server redirects to a URL that {error}") from None
    if url.scheme == "https" and there.scheme == "http":
        raise HttpError("the server redirects from https to http")
    return there


def _decoded(answer: HttpAnswer) -> bytes:
    """The body without gzip. A small body may become a very long one, so the result is limited, too."""
    coding = answer.field(b"content-encoding").strip().lower()
    if coding in {"", "identity"}:
        return answer.body
    if coding != "gzip":
        raise HttpError(f"the content coding is {quoted(coding)}; gzip was asked for")
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = stream.decompress(answer.body, MAX_BYTES + 1)
    except zlib.error:
        raise HttpError("the response is not gzip") from None
    if len(content) > MAX_BYTES:
        raise HttpError(f"the response is larger than {MAX_BYTES // 2**20} MiB")
    if not stream.eof:
        raise HttpError("the response is incomplete")
    return content


def make_source(settings: HttpSource, config: Config) -> PolledUrl:  # noqa: ARG001 - as of every source
    """The source of one entry of `http_sd_configs`."""
    return PolledUrl(settings, os.environ)
