"""`completion`: the script by which a shell completes commands, flags and names."""

import argparse
from collections.abc import Iterator

import shtab

from exporter.cli import exits
from exporter.cli.explain import names
from exporter.cli.parser import make_parser
from exporter.policies import shipped

_BASH_VALUES = """
# For bash, --flag=VALUE is three words. The function above knows --flag VALUE only.
_tls_posture_exporter() {
  local at last=$COMP_CWORD words=()
  for ((at = 0; at <= COMP_CWORD; at++)); do
    if [[ "${COMP_WORDS[at]}" != "=" ]]; then
      words+=("${COMP_WORDS[at]}")
    elif ((at == COMP_CWORD)); then
      words+=("")
    else
      last=$((last - 1))
    fi
  done
  local COMP_CWORD=$last COMP_WORDS=("${words[@]}")
  _shtab_tls_posture_exporter "$@"
}
complete -o bashdefault -F _tls_posture_exporter tls-posture-exporter"""


def run(options: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    script = shtab.complete(completed_parser(), shell=options.shell)
    print(script + _BASH_VALUES if options.shell == "bash" else script)
    return exits.OK


def completed_parser() -> argparse.ArgumentParser:
    """The parser, with what may follow flags that take files and names."""
    parser = make_parser()
    for command, action in _actions(parser):
        if action.dest == "policy" or (command, action.dest) == ("show", "name"):
            action.choices = list(shipped())
        elif (command, action.dest) == ("explain", "name"):
            action.choices = names()
        elif action.metavar in {"FILE", "OLD", "NEW"}:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # what shtab reads
        elif action.metavar == "FOLDER":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return parser


def _actions(parser: argparse.ArgumentParser, command: str = "") -> Iterator[tuple[str, argparse.Action]]:
    """All actions, each with the name of its subcommand."""
    for action in parser._actions:  # noqa: SLF001 - there is no public name
        yield command, action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, one in action.choices.items():
                yield from _actions(one, name)
