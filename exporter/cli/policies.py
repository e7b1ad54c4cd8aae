"""`policies`: lists the shipped policies, or prints the file of one."""

import argparse

from exporter.cli import exits
from exporter.config.values import checked_path, is_policy_path
from exporter.errors import ExporterError
from exporter.policies import Policy, load_policy, shipped, wrong_policy
from exporter.yamlfile import read_text


def run(options: argparse.Namespace) -> int:
    """Print the list or the file; returns the exit code."""
    if options.action == "list":
        for name in shipped():
            policy = load_policy(name)
            print(f"{name}  {policy.title} ({policy.version})")
        return exits.OK
    policy = named_policy(options.name)
    print(read_text(policy.file), end="")
    return exits.OK


def named_policy(policy: str) -> Policy:
    """The policy that a name or path on the command line means.

    Raises:
        ExporterError: there is no shipped policy of this name, or the file cannot be used.
    """
    if not is_policy_path(policy):
        wrong = wrong_policy(policy)
        if wrong:
            raise ExporterError(wrong)
        return load_policy(policy)
    try:
        return load_policy(checked_path(policy))
    except ValueError as error:
        raise ExporterError(str(error)) from None
