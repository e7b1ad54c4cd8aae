"""The sources of targets, and what became of what they found."""

from exporter.quoting import MAX_QUOTED, redacted
from exporter.targets.discovered import Rejected, TargetList
from exporter.targets.discovery import SourceState
from exporter.targets.groups import ADDRESS
from exporter.web.api.forms import OutcomesPart, RejectedPart, SourcePart, SourcesAnswer, SourcesPart
from exporter.web.api.operation import AnyOperation, ApiData, Operation, Reply
from exporter.web.api.parameters import Parameters


async def _sources(data: ApiData, _name: str, _parameters: Parameters) -> Reply:
    listing = data.listing()
    return Reply(SourcesAnswer(data=SourcesPart(sources=[source_part(one, listing) for one in data.sources()])))


def source_part(state: SourceState, listing: TargetList) -> SourcePart:
    """A source, and what became of what it found."""
    outcomes = listing.outcomes.get(state.place)
    return SourcePart(
        place=state.place,
        up=state.up,
        error=state.error,
        targets=state.count,
        refreshed_at=state.refreshed_at,
        outcomes=None if outcomes is None else OutcomesPart.model_validate(outcomes),
        rejected=[rejected_part(one) for one in listing.rejected if one.source == state.place],
    )


def rejected_part(one: Rejected) -> RejectedPart:
    """Without the other labels of what was found: somebody else wrote them, and they may be secrets."""
    address = one.labels.get(ADDRESS)
    return RejectedPart(address=None if address is None else redacted(address)[:MAX_QUOTED], reason=one.problem)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "listSources",
        "GET",
        "/sources",
        "The sources of targets, in the order of the configuration",
        Parameters,
        SourcesAnswer,
        _sources,
        ("unavailable",),
    ),
)
