"""Writes docs/checks: a page for each check, and the list of them: `python -m tools.check_pages`.

All of it comes from the program: what a check is and why from the check itself, what policies ask from the policies,
examples of verdicts and lines from made-up scans that the tests use, and keys from docs/own-policy.md.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from exporter.case import Case
from exporter.checks.registry import CHECKS
from exporter.facts.dns import MtaStsFacts, TlsaFacts, TlsaRecord
from exporter.judge import findings_of
from exporter.judging.check import Check, failed
from exporter.manual import alerts
from exporter.model import Facts, Finding, Remedy, Verdict
from exporter.moments import Now
from exporter.policies import Policy, load_policy, shipped
from tests.policies.deviations import CONFIGURED, DEVIATIONS
from tests.remedies.examples import EXAMPLES, Server, demand, derived, failure, lines_of
from tests.support.facts import caa, certificate, facts, watched
from tests.support.targets import NOW
from tests.support.varied_fleet import kinds
from tools.policy_pages import table

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "checks"
_MADE = "<!-- Written by tools/check_pages.py; `make generate` rewrites it. -->"
_KEYS = re.compile(r"^\| (?P<names>`[^|]+`) \| (?P<keys>.+) \|$", re.MULTILINE)
_MORE = re.compile(r"```yaml\n# more.yaml\n(.*?)```", re.DOTALL)
_SHOWN = 2
"""Most examples of each verdict."""
_LONGEST = 160
"""Most characters of an example."""
_LEAF = certificate().deployments[0].leaf
_MAIL_RECORDS = facts(
    certificate(),
    replace(caa(), dnssec=True),
    TlsaFacts("_25._tcp.www.test.example", (TlsaRecord(3, 1, 1, str(_LEAF.spki_sha256)),), dnssec=True),
    MtaStsFacts("test.example", "v=STSv1; id=1;", "v=TLSRPTv1; rua=mailto:tls@test.example"),
)
_NO_RECORDS = facts(
    certificate(),
    replace(caa(), dnssec=False),
    TlsaFacts("_25._tcp.www.test.example", (), dnssec=True),
    MtaStsFacts("test.example", None, None),
)
AnyCheck = Check[Any]


def pages() -> dict[str, str]:
    """File name under `docs/checks` -> its content."""
    asking = sorted(map(load_policy, shipped()), key=lambda policy: (policy.name != "kopano-checklist", policy.name))
    examples = list(_findings([*asking, _more()]))
    own = {f"{check.name}.md": _page(check, asking, examples) for check in CHECKS}
    return {"README.md": _index(asking)} | own


def _more() -> Policy:
    """The policy of docs/own-policy.md with checks that no other one has."""
    (text,) = _MORE.findall((DOCS / "own-policy.md").read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "more.yaml"
        file.write_text(text, encoding="utf-8")
        return load_policy(str(file))


def _findings(policies: Sequence[Policy]) -> Iterator[Finding]:
    """What the policies say about the made-up scans."""
    for kind in {kind.name: kind for kind in kinds(NOW)}.values():
        if kind.seen is not None:
            case = derived(Case(watched(), kind.seen, Now(NOW)))
            for policy in policies:
                yield from findings_of(case, policy)
    for records in (_MAIL_RECORDS, _NO_RECORDS):
        mail = derived(Case(watched(protocol="smtp", port=25, mail_domain="test.example"), records, Now(NOW)))
        yield from findings_of(mail, policies[-1])
    for name, server in CONFIGURED.items():
        for changed in (server, *(change(server) for _, change, _ in DEVIATIONS[name])):
            yield from changed.findings(name)


def _index(policies: Sequence[Policy]) -> str:
    intro = (
        "A check compares what a scan found with what a policy asks. Its name is the key in policies, the label\n"
        "`check` of metrics, and the name of its page. `tls-posture-exporter explain NAME` has the same on the\n"
        "command line."
    )
    rows = [
        (f"[{check.name}]({check.name}.md)", _summary(check), str(sum(check.name in one.demands for one in policies)))
        for check in CHECKS
    ]
    header = ("Check", "What it compares", "Policies that ask for it")
    return "\n\n".join([_MADE, "# Checks", intro, table(header, rows)]) + "\n"


def _page(check: AnyCheck, policies: Sequence[Policy], examples: Sequence[Finding]) -> str:
    parts = [_MADE, f"# {check.name}", _summary(check), "## Why", check.why, "## How it is judged", *_details(check)]
    parts += [_VERDICTS, table(("Verdict", "For example"), [*_examples(check, examples)])]
    parts += ["## Policies that ask for it", _asked(check, policies)]
    parts += ["## In your own policy", _keys(check), "## How to fix it", *_remedies(check, policies)]
    return "\n\n".join([*parts, "## Where it shows", "\n".join(_shown(check))]) + "\n"


_VERDICTS = (
    "A check passes when everything that it depends on is known and as asked for. It fails when something is known\n"
    "that is not as asked for. Otherwise the verdict is `unknown`, or `not_applicable` where the question does not\n"
    "arise. Your own policy can ask for other things than in these examples."
)


def _documentation(check: AnyCheck) -> list[str]:
    """The paragraphs of its module, in which the first names the check."""
    text = str(import_module(check.demand.__module__).__doc__).strip()
    return [" ".join(part.split()) for part in re.sub(r"^Check `\w+`: ", "", text).split("\n\n")]


def _summary(check: AnyCheck) -> str:
    text = _documentation(check)[0].replace("docs/grade.md", "[how](../grade.md)")
    return text[0].upper() + text[1:]


def _details(check: AnyCheck) -> list[str]:
    return _documentation(check)[1:]


def _examples(check: AnyCheck, findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Verdicts with their reasons. Where the made-up scans have no failure, one of the tests of remedies has."""
    seen = [(one.verdict, one.summary) for one in findings if one.check == check.name]
    for example in EXAMPLES:
        if example.check == check.name:
            case = derived(Case(watched(), example.facts, Now(NOW)))
            seen.append((Verdict.FAIL, failure(check.name, case, demand(check.name, **example.asked)).summary))
    for verdict in Verdict:
        reasons = dict.fromkeys(text for one, text in seen if one is verdict and len(text) <= _LONGEST)
        yield from ((f"`{verdict}`", text) for text in [*reasons][:_SHOWN])


def _asked(check: AnyCheck, policies: Sequence[Policy]) -> str:
    rows = [
        (
            f"[{policy.name}](../policies/{policy.name}.md)",
            one.severity.value,
            check.asks(one) + (f" ({one.days.strip()})" if one.days else ""),
            one.source,
        )
        for policy in policies
        for one in policy.demands.get(check.name, ())
    ]
    header = ("Policy", "Severity", "Asks for", "Source")
    return table(header, rows) if rows else "No policy that comes with the program asks for it."


def _keys(check: AnyCheck) -> str:
    table = (DOCS / "own-policy.md").read_text(encoding="utf-8").partition("## What the checks take")[2]
    (keys,) = (row["keys"] for row in _KEYS.finditer(table) if f"`{check.name}`" in row["names"])
    keys = re.sub(r"\]\((?=\w)", "](../", keys)
    return (
        f"Keys, in addition to `severity` and `source`: {keys}. [Your own policy](../own-policy.md) explains the form."
    )


def _remedies(check: AnyCheck, policies: Sequence[Policy]) -> Iterator[str]:
    """Lines for a made-up server that fails; otherwise notes that depend on no facts."""
    yield (
        "`tls-posture-exporter scan HOST --explain` prints the lines that fit what your server accepts now, and where\n"
        "they belong. [Remedies](../remedies.md) says how they are made."
    )
    example = next((one for one in EXAMPLES if one.check == check.name), None)
    if example is not None:
        yield "For example, for a server that accepts too much:" if not example.web_alone else "For example:"
        yield "\n\n".join(_lines(server, lines_of(example, server)) for server in Server if lines_of(example, server))
        return
    asked = [one for policy in [*policies, _more()] for one in policy.demands.get(check.name, ())]
    notes = check.advise(Case(watched(), Facts(), Now(NOW)), asked[0], failed("what was seen"))
    yield "\n".join(f"- {_note(one)}" for one in notes)


def _lines(server: Server, lines: Sequence[str]) -> str:
    shown = "\n".join(lines)
    return f"{'OpenSSL, for other servers, or the DNS' if server is Server.ANY else server}:\n\n```text\n{shown}\n```"


def _note(remedy: Remedy) -> str:
    return remedy.note if remedy.server == Server.ANY else f"{remedy.server}: {remedy.note}"


def _shown(check: AnyCheck) -> Iterator[str]:
    yield f'- [`tls_posture_check_passed`](../metrics.md#tls_posture_check_passed), with `check="{check.name}"`'
    yield from (f"- [`{family.name}`](../metrics.md#{family.name})" for family in check.families)
    for alert in alerts().values():
        if check.name in alert.checks:
            yield f"- alert [{alert.name}](../runbooks/{alert.name}.md): {alert.summary}"
    yield "- alert [TLSPostureNonCompliant](../runbooks/TLSPostureNonCompliant.md), where a policy asks for it"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
