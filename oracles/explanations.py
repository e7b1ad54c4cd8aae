"""Known disagreements: server, scanner, both statements, who is right, and why. The list is explanations.yaml."""

import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from exporter.errors import ConfigError
from exporter.yamlfile import read_document, validate
from oracles.compare import FACTS, UNKNOWN, Statement

FILE = Path(__file__).with_name("explanations.yaml")


class Explanation(BaseModel):
    """One known disagreement.

    Attributes:
        servers: names of servers; each must show the disagreement. A name with `*` matches several servers; at least
            one of them must show it.
        scanner: the scanner that disagrees with ours.
        fact: one of `FACTS`. With the key `attack`, the attack.
        what: regular expression for the complete `Statement.what`.
        ours: regular expression for the complete statement of ours.
        theirs: the same for theirs.
        right: who is right; `both` if they mean different things by the same name. `theirs` is not allowed against a
            definite statement of ours: that is a defect, which must be fixed.
        why: the evidence.
        debian: the releases of Debian that show it, because of the versions of their packages; None means all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: tuple[str, ...] = Field(min_length=1)
    scanner: str
    fact: str = Field(validation_alias=AliasChoices("fact", "attack"))
    what: str = ""
    ours: str
    theirs: str
    right: Literal["ours", "theirs", "both", "neither"]
    why: str = Field(min_length=20)
    debian: tuple[int, ...] | None = Field(default=None, min_length=1)

    @field_validator("scanner", "fact")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(f"{info.field_name}s", {value})
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return value

    @field_validator("servers")
    @classmethod
    def _found(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = (info.context or {}).get("servers", value)
        for name in value:
            if not any(fnmatchcase(server, name) for server in known):
                raise ValueError(f"there is no server {name!r}")
        return value

    @model_validator(mode="after")
    def _excuses_no_defect(self) -> "Explanation":
        if self.right in {"theirs", "neither"} and self.ours != UNKNOWN:
            raise ValueError("ours is wrong here: a defect to fix, not to explain")
        return self

    def covers(self, server: str, scanner: str, statement: Statement) -> bool:
        """Whether this explains the disagreement."""
        return (
            scanner == self.scanner
            and statement.fact == self.fact
            and any(fnmatchcase(server, name) for name in self.servers)
            and all(pattern.fullmatch(text) for pattern, text in zip(self._patterns, _texts(statement), strict=True))
        )

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(text) for text in (self.what, self.ours, self.theirs))


def _texts(statement: Statement) -> tuple[str, str, str]:
    return statement.what, statement.ours, statement.theirs


class _Book(BaseModel):
    """The contents of the file."""

    model_config = ConfigDict(extra="forbid")

    explanations: list[Explanation]


def debian_release(file: Path = Path("/etc/os-release")) -> int | None:
    """The release of Debian of this machine; None on another system."""
    fields = dict(line.partition("=")[::2] for line in file.read_text(encoding="utf-8").splitlines())
    version = fields.get("VERSION_ID", "").strip('"')
    return int(version) if fields.get("ID") == "debian" and version.isdecimal() else None


def load(
    servers: Collection[str],
    scanners: Collection[str],
    file: Path = FILE,
    facts: Collection[str] = FACTS,
    release: int | None = None,
) -> tuple[Explanation, ...]:
    """The explanations of the file that are for this release of Debian, by default the one of this machine.

    Raises:
        ConfigError: with every mistake in the file, including unknown names.
    """
    book, problems = validate(read_document(file), _Book, {"servers": servers, "scanners": scanners, "facts": facts})
    if book is None or problems:
        raise ConfigError(problems)
    release = release or debian_release()
    return tuple(one for one in book.explanations if one.debian is None or release in one.debian)


def stale(
    explanations: Sequence[Explanation],
    known: Iterable[str],
    compared: Collection[tuple[str, str]],
    used: Collection[tuple[Explanation, str]],
) -> list[str]:
    """Explanations that no longer explain anything, a line each.

    `known` has all servers, `compared` each (server, scanner) that was compared, `used` each (explanation, server) of a
    disagreement that was explained.
    """
    lines = []
    for explanation in explanations:
        for name in explanation.servers:
            servers = [server for server in known if fnmatchcase(server, name)]
            all_compared = all((server, explanation.scanner) in compared for server in servers)
            if all_compared and not any((explanation, server) in used for server in servers):
                lines.append(
                    f"{name}, {explanation.scanner}, {explanation.fact}, {explanation.what}: not found any more"
                )
    return lines
