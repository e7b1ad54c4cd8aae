"""Policies, and the metadata of metrics."""

from itertools import islice

from exporter.checks.registry import CHECKS
from exporter.metrics import FAMILIES, OWN_FAMILIES
from exporter.model import Family
from exporter.querying import PolicyInUse
from exporter.web.api.errors import ApiError
from exporter.web.api.forms import (
    DemandPart,
    MetadataAnswer,
    MetadataPart,
    NotExpressedPart,
    PoliciesAnswer,
    PoliciesPart,
    PolicyAnswer,
    PolicyPart,
    PolicySummaryPart,
)
from exporter.web.api.operation import AnyOperation, ApiData, Operation, Reply
from exporter.web.api.parameters import MetadataParameters, Parameters

_CHECK = {check.name: check for check in CHECKS}
_UNITS = ("seconds", "bytes", "bits")
_METADATA = {family.name: family for family in (*FAMILIES, *OWN_FAMILIES)}


async def _policies(data: ApiData, _name: str, _parameters: Parameters) -> Reply:
    found = [
        PolicySummaryPart(
            name=one.policy.name,
            title=one.policy.title,
            version=one.policy.version,
            source=one.policy.source,
            targets=one.targets,
        )
        for one in data.queries.policies()
    ]
    return Reply(PoliciesAnswer(data=PoliciesPart(policies=found)))


async def _policy(data: ApiData, name: str, _parameters: Parameters) -> Reply:
    found = next((one for one in data.queries.policies() if one.policy.name == name), None)
    if found is None:
        raise ApiError("not_found", f"there is no policy {name!r}")
    return Reply(PolicyAnswer(data=_policy_part(found)))


def _policy_part(found: PolicyInUse) -> PolicyPart:
    policy = found.policy
    return PolicyPart(
        name=policy.name,
        title=policy.title,
        version=policy.version,
        source=policy.source,
        targets=found.targets,
        source_url=policy.source_url,
        published=policy.published.isoformat() if policy.published else None,
        description=policy.description,
        demands=[
            DemandPart(check=check, severity=one.severity, asks=_CHECK[check].asks(one), source=one.source)
            for check, demands in policy.demands.items()
            for one in demands
        ],
        not_expressed=[
            NotExpressedPart(rule=one.rule, section=one.section, why=one.why) for one in policy.not_expressed
        ],
    )


async def _metadata(_data: ApiData, _name: str, parameters: MetadataParameters) -> Reply:
    wanted = [
        (name, family)
        for name, family in sorted(_METADATA.items())
        if parameters.metric is None or parameters.metric == name
    ]
    limit = parameters.limit if parameters.limit >= 0 else None
    return Reply(MetadataAnswer(data={name: [_metadata_part(family)] for name, family in islice(wanted, limit)}))


def _metadata_part(family: Family) -> MetadataPart:
    # As in OpenMetrics, the unit is the end of the name.
    name = family.name.removesuffix("_total")
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    return MetadataPart(type=family.kind, help=family.help, unit=unit)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "listPolicies",
        "GET",
        "/policies",
        "The policies that targets are or can be judged by",
        Parameters,
        PoliciesAnswer,
        _policies,
        ("unavailable",),
    ),
    Operation(
        "getPolicy",
        "GET",
        "/policies/{name}",
        "What a policy asks for",
        Parameters,
        PolicyAnswer,
        _policy,
        ("not_found", "unavailable"),
    ),
    Operation(
        "getMetadata",
        "GET",
        "/metadata",
        "What the metrics of /metrics are, as in Prometheus",
        MetadataParameters,
        MetadataAnswer,
        _metadata,
        ("unavailable",),
    ),
)
