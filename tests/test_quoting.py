"""What messages quote: never a secret of a URL, wherever in a configuration an operator writes one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from exporter.__main__ import main
from exporter.config import Config
from exporter.errors import ConfigError, TargetError
from exporter.policies import read_config
from exporter.quoting import MAX_QUOTED, quoted, redacted, shown
from exporter.services import parse_proxy, parse_service

SECRET = "hunter2"  # noqa: S105 - must not be shown

URLS = (
    f"https://user:{SECRET}@www.example.com",
    f"https://{SECRET}@www.example.com",
    f"https://user:{SECRET}@www.example.com:443/",
    f"http://user:{SECRET}@proxy.example.com:3128",
    f"http:/user:{SECRET}@proxy.example.com:3128",
    f"user:{SECRET}@www.example.com",
    f"socks5://user:{SECRET}%40@[2001:db8::1]:1080",
    f"https://user:a/{SECRET}@b@www.example.com",
    f"https://user:{SECRET} a@www.example.com",
    f"https://üser:{SECRET}@www.example.com",
    f"ftp://user:{SECRET}\u202e@www.example.com",
    f"https://www.example.com/?token={SECRET}",
    f"https://www.example.com/#{SECRET}",
    f" https://www.example.com/?token={SECRET}",
    f"www.example.com/?token={SECRET}",
    f"www.example.com:443/path#{SECRET}",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:a@b.example:443", "https://...@b.example:443"),
        ("user:a@b.example", "...@b.example"),
        ("https://b.example/?a=b&c=d", "https://b.example/?..."),
        ("www.example.com:443", "www.example.com:443"),
        ("admin@example.com", "admin@example.com"),
        ("/path?query", "/path?query"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_a_text_is_shown_without_its_secrets(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert quoted(text) == repr(expected)


@pytest.mark.parametrize("url", URLS)
def test_no_secret_is_quoted(url: str) -> None:
    assert SECRET not in quoted(url)


def test_a_long_text_is_cut() -> None:
    assert len(quoted("a" * 10_000_000)) < MAX_QUOTED + 10


@pytest.mark.parametrize(
    ("value", "expected"), [(True, "true"), (None, "null"), ({"a": 1}, "a mapping"), ([1], "a list"), (7, "7")]
)
def test_values_are_shown_as_the_file_writes_them(value: object, expected: str) -> None:
    assert shown(value) == expected


@pytest.mark.parametrize("url", URLS)
def test_a_target_or_proxy_on_the_command_line_is_refused_without_its_secrets(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TargetError) as caught:
        parse_service(url)
    assert SECRET not in str(caught.value)
    for arguments in (["scan", url], ["scan", "--policy", url, "www.example.com"], ["policies", "show", url]):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert SECRET not in out + err


@pytest.mark.parametrize("url", [url.replace(":3128", "").replace(":1080", "") for url in URLS])
def test_a_proxy_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_proxy(url)
    assert SECRET not in str(caught.value)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _places(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key of a configuration, and of a key that does not exist next to it."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        yield here
        for below in _models(field.annotation):
            yield from _places(below, here)
    yield (*path, "proxy")


PLACES = sorted(set(_places(Config)))


def _document(path: tuple[str, ...], value: object) -> dict[str, object]:
    """The configuration with only this value, and what makes its section valid."""
    for key in reversed(path):
        value = {key: value}
        if key == "targets":
            inner = value[key]
            value = {key: [{"host": "a.example"} | inner if isinstance(inner, dict) else inner]}
    assert isinstance(value, dict)
    return value


def _problems(file: Path) -> str:
    try:
        read_config(file)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", PLACES, ids=".".join)
def test_no_key_of_a_configuration_shows_a_secret(tmp_path: Path, path: tuple[str, ...]) -> None:
    file = tmp_path / "config.yaml"
    for url in URLS:
        for value in (url, [url], {"a": url}, {url: "a"}, [{url: url}], [[url]], [url, url]):
            file.write_text(json.dumps(_document(path, value)), encoding="utf-8")
            assert SECRET not in _problems(file)


@pytest.mark.parametrize(
    "text",
    [
        "global: {{proxy_url: {0}}}\nglobal: {{}}\n",
        "targets:\n  - {0}: [\n",
        "targets:\n  - {0}\n  - {0}\n",
        "targets:\n  - {0}:\n",
        "targets:\n  - ? {0}\n    : 1\n    ? {0}\n    : 2\n",
        "targets: !<{0}> a\n",
        "targets: *{0}\n",
        "{0}\n",
        "{0}: a: b\n",
        "targets: [{{host: a.example, name: '{0}'}}, {{host: b.example, name: '{0}'}}]\n",
        "global: {{trust_store: '{0}'}}\n",
    ],
)
def test_no_mistake_of_yaml_shows_a_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    for url in URLS:
        file.write_text(text.format(url), encoding="utf-8")
        assert SECRET not in _problems(file)
