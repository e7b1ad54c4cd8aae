"""Asks the API of a daemon for documents."""

import asyncio
import json
from argparse import Namespace
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from exporter.config.http_client import HttpSource
from exporter.config.http_url import parse_http_url
from exporter.errors import ExporterError
from exporter.net.http_get import Way, http_get
from exporter.reading import Reader
from exporter.targets.http_identity import ClientIdentity, read_identity
from exporter.text import escaped
from exporter.yamlfile import in_words

WITHIN = timedelta(minutes=5)
"""For one document. A daemon with 1,000 targets in it needs less than a minute."""
READ_WITHIN = timedelta(seconds=10)
MOST_BYTES = 2**28
"""Of one document; one of 1,000 targets has some 40 MB."""
_OK = 200


def fetch_documents(options: Namespace, formats: Sequence[str], query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Format -> its document from the daemon that `--from` names.

    Raises:
        ExporterError: it cannot be asked, or refuses.
    """
    settings = _settings(options)
    return {name: asyncio.run(_fetch(settings, name, query)) for name in formats}


def _settings(options: Namespace) -> HttpSource:
    values: dict[str, Any] = {"url": options.from_url}
    if options.username_file or options.password_file:
        files = {"username_file": options.username_file, "password_file": options.password_file}
        values["basic_auth"] = {name: str(file) for name, file in files.items() if file}
    if options.token_file:
        values["bearer_token_file"] = str(options.token_file)
    if options.ca_file:
        values["tls_config"] = {"ca_file": str(options.ca_file)}
    try:
        return HttpSource.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ExporterError(f"--from: {'.'.join(map(str, first['loc']))} {in_words(first)}") from error


async def _fetch(settings: HttpSource, name: str, query: Sequence[tuple[str, str]]) -> str:
    base, _, _ = settings.url.partition("?")
    url = parse_http_url(f"{base.rstrip('/')}/api/v1/reports/{name}?{urlencode(query)}".rstrip("?"))
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            identity: ClientIdentity = await Reader(READ_WITHIN, 1).read(partial(read_identity, settings))
            fields = [one for one in identity.fields if one[0] in {"Authorization", "User-Agent"}]
            answer = await http_get(url, fields, Way(tls=identity.tls), MOST_BYTES)
    except TimeoutError:
        raise ExporterError(f"{url}: no complete answer within {WITHIN.total_seconds():g} s") from None
    except ExporterError as error:
        raise ExporterError(f"{url}: {error}") from error
    if answer.status != _OK:
        raise ExporterError(f"{url}: {_refusal(answer.status, answer.body)}")
    return answer.body.decode(errors="replace")


def _refusal(status: int, body: bytes) -> str:
    """What the daemon says."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        said = {
            401: "it asks for authentication; use --from.token-file, or --from.username-file and --from.password-file"
        }.get(status, "it is not a daemon of this version")
    return f"the server answered with status {status}: {escaped(str(said))}"
