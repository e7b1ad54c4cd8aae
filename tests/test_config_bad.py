"""Every rule of the configuration: a file that breaks it, and the exact message to the operator."""

from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.policies import read_config

FOLDER = Path(__file__).parent / "config" / "bad"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.timeout(10)
def test_a_bad_file_is_refused_with_every_problem_in_file_order(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    told = str(caught.value).replace(f"{FOLDER}/", "")
    assert f"{told}\n" == file.with_suffix(".expected").read_text(encoding="utf-8")
    assert [problem.line for problem in caught.value.problems] == sorted(p.line for p in caught.value.problems)


def test_every_bad_file_has_its_expected_lines_and_the_other_way_round() -> None:
    assert FILES
    assert {file.stem for file in FILES} == {file.stem for file in FOLDER.glob("*.expected")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_message_speaks_of_python(file: Path) -> None:
    told = file.with_suffix(".expected").read_text(encoding="utf-8")
    for word in ("Input should", "validation", "Traceback", "None", "True", "False", "pydantic", "dictionary"):
        assert word not in told
