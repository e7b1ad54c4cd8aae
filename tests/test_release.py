"""What a release is made with: files that GitHub reads, and the version in all places."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema_rs import validator_for

from exporter import __version__
from exporter.yamlfile import parse_document

ROOT = Path(__file__).parent.parent
SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    ".github/dependabot.yml": "dependabot",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    **{str(file.relative_to(ROOT)): "github-workflows" for file in ROOT.glob(".github/workflows/*")},
    **{str(file.relative_to(ROOT)): "github-issue-forms" for file in ROOT.glob(".github/ISSUE_TEMPLATE/*.yaml")},
}
"""File -> the published schema that it has to obey, from the SchemaStore."""


def document(name: str) -> Any:  # noqa: ANN401 - any YAML
    return parse_document(name, (ROOT / name).read_text(encoding="utf-8")).data


def steps() -> Iterator[dict[str, Any]]:
    for name in (".github/workflows/ci.yaml", ".github/workflows/release.yaml"):
        for job in document(name)["jobs"].values():
            yield from job.get("steps", [])


def errors(name: str, data: object) -> list[str]:
    schema = get_builtin_schema(f"vendor.{SCHEMAS[name]}")
    return [error.message for error in validator_for(schema).iter_errors(data)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_github_can_read_it(name: str) -> None:
    assert errors(name, document(name)) == []
    assert errors(name, {**document(name), "no such key": 1}) != []


def test_all_files_of_github_are_checked() -> None:
    assert {str(one.relative_to(ROOT)) for one in ROOT.glob(".github/**/*") if one.is_file()} <= SCHEMAS.keys()


def test_ci_runs_what_developers_run_and_nothing_else() -> None:
    (job,) = document(".github/workflows/ci.yaml")["jobs"].values()
    install, checkout, run = job["steps"]
    assert install["run"].startswith("apt-get update")
    assert checkout["uses"].startswith("actions/checkout@")
    assert run == {"run": "bash .ci/run"}
    assert job["container"]["image"] == "debian:bookworm"


def test_actions_are_pinned_by_their_commits() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert len(used) == 3
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one)] == []


def test_the_workflows_can_write_only_where_a_release_needs_it() -> None:
    for name in ("ci.yaml", "release.yaml"):
        assert document(f".github/workflows/{name}")["permissions"] == {"contents": "read"}
    jobs = document(".github/workflows/release.yaml")["jobs"]
    assert [name for name, job in jobs.items() if "permissions" in job] == ["release"]
    assert jobs["release"]["needs"] == "test"


def test_what_a_workflow_runs_exists() -> None:
    targets = {
        target for step in steps() for target in re.findall(r"\bmake ([a-z]+)$", step.get("run", ""), re.MULTILINE)
    }
    assert targets == {"dist"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    given = {name for step in steps() for name in re.findall(r"--build-arg (\w+)=", step.get("run", ""))}
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert given - set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE)) == set()


def test_the_image_gets_the_bill_of_what_it_has() -> None:
    """The stage that makes the bill has the Debian packages of the final one: both start from `runtime`."""
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    (bill,) = (stage for stage in stages if "tools.supply.sbom image" in stage)
    assert [stage.splitlines()[0] for stage in (bill, stages[-1])] == ["runtime AS bill", "runtime"]
    assert "apt-get" not in bill + stages[-1]
    for stage in (bill, stages[-1]):
        assert "COPY --from=builder /opt/venv /opt/venv\n" in stage
    assert "COPY --from=bill /sbom.cdx.json /usr/share/doc/tls-posture-exporter/\n" in stages[-1]


def test_the_version_is_the_same_everywhere() -> None:
    assert document("CITATION.cff")["version"] == __version__
    heading = re.compile(rf"^## {re.escape(__version__)} - {document('CITATION.cff')['date-released']}$", re.MULTILINE)
    assert heading.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def dist(folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DIST": str(folder / "dist"), "TAG": tag, "SOURCE_DATE_EPOCH": "1764547200"}
    return subprocess.run(
        [ROOT / "tools/make-dist"], env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_a_tag_of_another_version_makes_no_release(tmp_path: Path) -> None:
    done = dist(tmp_path, "v0.0.1")
    assert done.returncode == 1
    assert done.stderr == f"make-dist: the tag is v0.0.1, and the version is {__version__}\n"
    assert not (tmp_path / "dist").exists()


def test_a_release_has_wheel_sdist_bill_and_digests(tmp_path: Path) -> None:
    done = dist(tmp_path, f"v{__version__}")
    assert done.returncode == 0, done.stderr
    made = {file.name: file.read_bytes() for file in (tmp_path / "dist").iterdir()}
    stem = f"tls_posture_exporter-{__version__}"
    wheel = f"{stem}-py3-none-any.whl"
    assert made.keys() == {f"{stem}.tar.gz", wheel, f"{wheel}.cdx.json", "SHA256SUMS"}
    lines = [line.split("  ") for line in made.pop("SHA256SUMS").decode().splitlines()]
    digests = {name: digest for digest, name in lines}
    assert digests == {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    program = json.loads(made[f"{wheel}.cdx.json"])["metadata"]["component"]
    assert [one["content"] for one in program["hashes"]] == [digests[wheel]]
    notes = (ROOT / "build/release-notes.md").read_text(encoding="utf-8")
    assert "### " in notes
    assert "\n## " not in notes
