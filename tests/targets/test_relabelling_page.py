"""docs/relabelling.md: its examples do what it says, and its tables are complete."""

import re
from pathlib import Path

import pytest

from exporter.config.relabelling import RelabelAction
from exporter.policies import wrong_policy
from exporter.targets.relabel import relabel
from tests.support.relabelling import read_rules

PAGE = (Path(__file__).parent.parent.parent / "docs" / "relabelling.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"```yaml\n(.*?)```\n\n\| label \| before \| after \|\n\|[-|]+\n((?:\|[^\n]*\n)+)", PAGE, flags=re.DOTALL
)
ROW = re.compile(r"\| `(.*?)` \| (?:`(.*?)` )?\| (?:`(.*?)` )?\|")


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("```yaml") == 3


@pytest.mark.parametrize(("rules", "table"), EXAMPLES)
def test_an_example_has_the_labels_that_the_page_shows(rules: str, table: str) -> None:
    rows = ROW.findall(table)
    assert len(rows) == table.count("\n")
    before = {name: value for name, value, _ in rows if value}
    assert relabel(before, read_rules(rules)) == {name: value for name, _, value in rows if value}


def test_policies_of_the_examples_exist() -> None:
    for policy in re.findall(r"\| `__policy__` \| \| `(.*?)`", PAGE):
        assert wrong_policy(policy) is None


def test_every_action_is_described() -> None:
    section = PAGE.split("## Actions")[1].split("## Labels")[0]
    for action in RelabelAction:
        assert f"`{action}`" in section
