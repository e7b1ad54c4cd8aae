"""The configuration file of `worker`."""

from pathlib import Path

from pydantic import Field, field_validator

from exporter.config.celery import CelerySettings
from exporter.config.section import Section
from exporter.config.sections import ResolverSettings
from exporter.config.values import StoreFile, Surroundings
from exporter.errors import ConfigError, TargetError
from exporter.services import parse_proxy
from exporter.yamlfile import read_document, validate


class ProxyCredentials(Section):
    """User and password of a proxy: tasks do not have them."""

    proxy_url: str
    username: str = Field(min_length=1)
    password_file: StoreFile

    @field_validator("proxy_url")
    @classmethod
    def _proxy(cls, value: str) -> str:
        try:
            proxy = parse_proxy(value)
        except TargetError as error:
            raise ValueError(str(error)) from None
        if proxy.user is not None:
            raise ValueError("must not have a user or a password: write them into username and a password_file")
        return value


class WorkerConfig(Section):
    """The complete file."""

    celery: CelerySettings
    resolver: ResolverSettings | None = None
    proxies: list[ProxyCredentials] = Field(default_factory=list)


def load_worker_config(path: Path) -> WorkerConfig:
    """Read and validate the file. Relative paths in it are relative to its folder and become absolute.

    Raises:
        ConfigError: with every problem of the file.
    """
    config, problems = validate(
        read_document(path), WorkerConfig, Surroundings(path.absolute().parent, lambda _policy: None)
    )
    if problems or config is None:
        raise ConfigError(problems)
    return config
