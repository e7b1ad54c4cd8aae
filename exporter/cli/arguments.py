"""The argument parser of all commands: it suggests what an unknown command, flag or value may have been meant to be."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence


class CommandParser(argparse.ArgumentParser):
    """A parser that names unknown flags before it asks for missing ones."""

    def parse_known_args(  # type: ignore[override]  # one of several signatures
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as usual; what is left over is an error of this command, and not of the program as a whole."""
        args = sys.argv[1:] if args is None else args
        self._refuse_unknown_flags(args)
        found, left = super().parse_known_args(args, namespace)
        if left:
            kind = "unknown flag" if left[0].startswith("-") else "unexpected argument"
            self.error(f"{kind} {left[0]}")
        return found, []

    def _refuse_unknown_flags(self, args: Sequence[str]) -> None:
        known = list(self._option_string_actions)
        for name in self._flags(args):
            if not any(one.startswith(name) for one in known):
                self.error(f"unknown flag {name}{self._flag_meant(name)}")

    def _flag_meant(self, name: str) -> str:
        commands = [one for one, parser in self._commands().items() if name in parser._option_string_actions]  # noqa: SLF001
        if commands:
            return f"; it is a flag of {', '.join(commands)}, and is written after the command"
        return _suggestion(name, [one for one in self._option_string_actions if one.startswith("--")])

    def _flags(self, args: Sequence[str]) -> Iterator[str]:
        """The long flags among the arguments of this command; those of a subcommand are not."""
        commands = self._commands()
        for arg in args:
            if arg == "--" or arg in commands:
                return
            if arg.startswith("--") and " " not in arg:
                yield arg.partition("=")[0]

    def _commands(self) -> Mapping[str, argparse.ArgumentParser]:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - there is no public name
                return action.choices
        return {}

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Replaces the message of argparse, which differs between releases of Python."""
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - there is no public name
            near = _suggestion(str(value), known) or f"; known are {', '.join(known)}"
            raise argparse.ArgumentError(None, f"unknown command {value!r}{near}")
        raise argparse.ArgumentError(action, _not_one_of(value, known))


# What makes suggestions is imported only where there is a mistake: `--help` has to be fast.


def _suggestion(name: str, known: Sequence[str]) -> str:
    from exporter.nearest import suggestion  # noqa: PLC0415 - see above

    return suggestion(name, known)


def _not_one_of(value: object, known: Sequence[str]) -> str:
    from exporter.nearest import not_one_of  # noqa: PLC0415 - see above

    return not_one_of(repr(value), value, known)
