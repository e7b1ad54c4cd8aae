"""Writes docs/policies: a page for each shipped policy, and the list of them: `python tools/policy_pages.py`.

The YAML files are the only source: a rule, its section and what is not judged are not written a second time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from exporter.checks.registry import CHECKS
from exporter.judging.check import Demand
from exporter.judging.items import Entry
from exporter.policies import Policy, load_policy, shipped

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "policies"
_MADE = "<!-- Written by tools/policy_pages.py from the policies; `make generate` rewrites it. -->"


def pages() -> dict[str, str]:
    """File name under `docs/policies` -> its content."""
    policies = [load_policy(name) for name in shipped()]
    return {"README.md": _index(policies)} | {f"{policy.name}.md": _page(policy) for policy in policies}


def _index(policies: Sequence[Policy]) -> str:
    rows = [
        (
            f"[{policy.name}]({policy.name}.md)",
            policy.title,
            policy.version,
            str(sum(len(demands) for demands in policy.demands.values())),
            str(len(policy.not_expressed)),
        )
        for policy in policies
    ]
    intro = (
        "The policies by which the exporter can judge a server. Name one as `policy`, or several as `policies`, in\n"
        "the configuration, or write your own in the same form. Each page lists the rules with the section of the\n"
        "source that they come from. It also lists the rules of the source that are not judged, with the reason."
    )
    header = ("Policy", "Source", "Version", "Rules", "Not judged")
    return "\n\n".join([_MADE, "# Policies", intro, table(header, rows)]) + "\n"


def _page(policy: Policy) -> str:
    parts = [_MADE, f"# {policy.title}", policy.description.strip(), _identity(policy), "## Rules"]
    parts.append(table(("Check", "Asks for", "Severity", "Section"), list(_rules(policy))))
    parts.append(f"[{policy.name}.yaml](../../exporter/policies/{policy.name}.yaml) has long lists in full.")
    if policy.not_expressed:
        rows = [(one.rule, one.section, one.why) for one in policy.not_expressed]
        parts += ["## Not judged", table(("Rule", "Section", "Why"), rows)]
    return "\n\n".join(parts) + "\n"


def _identity(policy: Policy) -> str:
    rows = [("Name", f"`{policy.name}`"), ("Version", policy.version)]
    if policy.published is not None:
        rows.append(("Published", policy.published.isoformat()))
    source = policy.source if policy.source_url is None else f"[{policy.source}]({policy.source_url})"
    rows.append(("Source", source))
    if policy.extends is not None:
        rows.append(("Extends", f"[{policy.extends}]({policy.extends}.md)"))
    return table(("", ""), rows)


def _rules(policy: Policy) -> Iterator[tuple[str, str, str, str]]:
    for check in CHECKS:
        for demand in policy.demands.get(check.name, ()):
            asked = check.asks(demand) + (f" ({demand.days.strip()})" if demand.days else "")
            yield f"`{check.name}`", asked, demand.severity.value, _sections(demand)


def _sections(demand: Demand) -> str:
    """The sections of the demand, then those of its entries."""
    values = [getattr(demand, field) for field in type(demand).model_fields]
    entries = [entry for value in values if isinstance(value, tuple) for entry in value if isinstance(entry, Entry)]
    named = [demand.source, *(entry.source for entry in entries if entry.source is not None)]
    return "; ".join(dict.fromkeys(named))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; white space in cells does not count."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
