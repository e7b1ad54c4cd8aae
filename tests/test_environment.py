"""The environment of scans under a configuration: the resolver and the clock."""

import asyncio

import pytest
from dns.name import from_text
from dns.rdatatype import RdataType

from exporter.config import Config
from exporter.config.sections import ResolverSettings
from exporter.environment import make_resolver
from tests.support.names import Manner, running_server


@pytest.mark.parametrize("validating", [True, False])
def test_a_resolver_is_believed_about_signatures_only_where_it_is_said_to_validate(validating: bool) -> None:
    settings = ResolverSettings.model_validate({"nameservers": ["127.0.0.9"], "validating": validating})
    config = Config()
    changed = config.global_.model_copy(update={"resolver": settings})
    assert make_resolver(config.model_copy(update={"global_": changed})).validating is validating
    assert make_resolver(config).validating is False


def test_questions_about_records_go_to_the_configured_resolver() -> None:
    settings = ResolverSettings.model_validate({"nameservers": ["127.0.0.9"], "port": 5353, "timeout": "2s"})
    config = Config()
    resolver = make_resolver(
        config.model_copy(update={"global_": config.global_.model_copy(update={"resolver": settings})})
    ).resolver
    assert [str(server) for server in resolver.nameservers] == ["127.0.0.9"]
    assert (resolver.port, resolver.lifetime) == (5353, 2.0)


def test_a_resolver_without_entries_asks_each_time() -> None:
    async def run(most_entries: int) -> int:
        async with running_server({"www.test.example": ["A 192.0.2.1"]}, Manner(ttl=300)) as server:
            settings = ResolverSettings.model_validate({"nameservers": ["127.0.0.1"], "port": server.port})
            config = Config()
            changed = config.global_.model_copy(update={"resolver": settings})
            resolver = make_resolver(config.model_copy(update={"global_": changed}), most_entries=most_entries)
            for _ in range(3):
                await resolver.ask(from_text("www.test.example"), RdataType.A)
            return len(server.asked)

    assert asyncio.run(run(0)) == 3
    assert asyncio.run(run(1)) == 1
