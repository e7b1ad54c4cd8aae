"""`${NAME}` in the configuration file: replaced in a few places, a mistake elsewhere.

Other places need no variables. Secrets are in files of their own, which can be replaced without a restart, and which
nobody sees in a list of processes or in a dump.
"""

import re
from collections.abc import Mapping

from exporter.yamlfile import Document, Path_

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ELSEWHERE = (
    "is not replaced here; variables of the environment are for proxy_url and for labels of targets, "
    "and a secret belongs into a file that a key such as password_file names"
)


def replace_variables(document: Document, environment: Mapping[str, str]) -> None:
    """Replace the variables in the document's data. Those that cannot be replaced become problems of the document."""
    document.data = _replaced(document, environment, document.data, ())


def _replaced(document: Document, environment: Mapping[str, str], value: object, path: Path_) -> object:
    match value:
        case dict():
            return {key: _replaced(document, environment, part, (*path, key)) for key, part in value.items()}
        case list():
            return [_replaced(document, environment, part, (*path, index)) for index, part in enumerate(value)]
        case str() if "${" in value and not _is_template(path):
            for variable in _VARIABLE.finditer(value):
                if (problem := _problem(variable[1], environment, path)) is not None:
                    document.refuse(path, problem)
                    return value
            return _VARIABLE.sub(lambda variable: environment[variable[1]], value)
        case _:
            return value


def _problem(name: str, environment: Mapping[str, str], path: Path_) -> str | None:
    """Why this variable cannot be replaced. What is not a name may be a secret, such as a default value."""
    if not _NAME.fullmatch(name):
        return "has ${...} with something else than the name of a variable"
    if not _is_for_variables(path):
        return f"${{{name}}} {_ELSEWHERE}"
    return None if name in environment else f"the environment has no variable {name}"


def _is_for_variables(path: Path_) -> bool:
    return path[-1:] == ("proxy_url",) or (len(path) == 4 and path[0] == "targets" and path[2] == "labels")


def _is_template(path: Path_) -> bool:
    """Whether `${1}` there is a group of a regular expression."""
    return "relabel_configs" in {*path[:1], *path[2:3]}
