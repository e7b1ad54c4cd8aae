"""Marks of distributions in what servers show: their packages keep the number of an old version and fix defects in it.

A name counts anywhere in the text. A release counts only in the form that packages use, in a version or a comment.
"""

import re

from exporter.software.shown import Package

DEBIAN, UBUNTU, RHEL, AMAZON, FEDORA, OTHER = "debian", "ubuntu", "rhel", "amazon-linux", "fedora", "other"
WINDOWS = "windows"
"""Not a distribution, and nobody backports fixes: the binaries are those of the product's developers."""

_RELEASES = (
    (UBUNTU, re.compile(r"(?:ubuntu|ubu|~)(?:[0-9]\.)?(?P<year>[0-9]{2})\.?(?P<month>04|10)(?![0-9])")),
    (DEBIAN, re.compile(r"(?:^|[._~+-])deb(?:ian)?(?P<release>[0-9]{1,2})(?![0-9])")),
    (RHEL, re.compile(r"(?:^|[._~+-])el(?P<release>[0-9]{1,2})(?![0-9])")),
    (AMAZON, re.compile(r"(?:^|[._~+-])amzn(?P<release>[0-9]{1,4})(?![0-9])")),
    (FEDORA, re.compile(r"(?:^|[._~+-])fc(?P<release>[0-9]{1,2})(?![0-9])")),
    (DEBIAN, re.compile(r"^debian(?: gnu/linux)? (?P<release>[0-9]{1,2})(?![0-9])")),
    (UBUNTU, re.compile(r"^ubuntu (?P<year>[0-9]{2})\.(?P<month>04|10)(?![0-9])")),
)
"""Debian Policy, 5.6.12 and the security team's suffixes; Fedora's dist tags; the titles of releases."""

_CODENAMES = {
    "squeeze": (DEBIAN, "6"),
    "wheezy": (DEBIAN, "7"),
    "jessie": (DEBIAN, "8"),
    "stretch": (DEBIAN, "9"),
    "buster": (DEBIAN, "10"),
    "bullseye": (DEBIAN, "11"),
    "bookworm": (DEBIAN, "12"),
    "trixie": (DEBIAN, "13"),
    "precise": (UBUNTU, "12.04"),
    "trusty": (UBUNTU, "14.04"),
    "xenial": (UBUNTU, "16.04"),
    "bionic": (UBUNTU, "18.04"),
    "focal": (UBUNTU, "20.04"),
    "jammy": (UBUNTU, "22.04"),
    "noble": (UBUNTU, "24.04"),
    "resolute": (UBUNTU, "26.04"),
}
"""Some of these are words of everyday English, so they count only in versions."""
_CODENAME = re.compile(rf"[.~+-](?P<name>{'|'.join(_CODENAMES)})(?![a-z])")

_NAMES = (
    (UBUNTU, re.compile(r"ubuntu|(?<![a-z])ubu[0-9]")),
    (DEBIAN, re.compile(r"debian|raspbian|dfsg|dotdeb|deb\.sury|(?<![a-z])deb[0-9]")),
    (RHEL, re.compile(r"red ?hat|centos|rhel|rocky|alma ?linux|oracle linux|scientific linux|(?<![a-z])el[0-9]")),
    (AMAZON, re.compile(r"amazon|amzn")),
    (FEDORA, re.compile(r"fedora|(?<![a-z])fc[0-9]")),
    ("suse", re.compile(r"suse|(?<![a-z])sles(?![a-z])")),
    ("alpine", re.compile(r"alpine|-r[0-9]+$")),
    ("freebsd", re.compile(r"freebsd")),
    (WINDOWS, re.compile(r"^(?:win(?:32|64)|windows)")),
    (
        OTHER,
        re.compile(r"openbsd|netbsd|gentoo|mageia|mandriva|mandrake|slackware|arch ?linux|turris|openwrt|homebrew"),
    ),
    (OTHER, re.compile(r"cpanel|cloudlinux|synology|qnap|univention|zentyal|plesk|nginx-plus")),
)
_REVISION = re.compile(r"[0-9]-[0-9]")
"""A packager's number after the version (Debian Policy, 5.6.12), without saying whose it is."""


def package_mark(text: str) -> Package | None:
    """The distribution that the end of a version (or a title) names."""
    low = text.lower()
    for distribution, pattern in _RELEASES:
        if match := pattern.search(low):
            parts = match.groupdict()
            return Package(distribution, parts.get("release") or f"{parts['year']}.{parts['month']}")
    return next((Package(name) for name, pattern in _NAMES if pattern.search(low)), None)


def name_mark(text: str) -> Package | None:
    """As `package_mark`, for text that anyone may have written: never a release."""
    found = package_mark(text)
    return None if found is None else Package(found.distribution)


_TITLE = re.compile(
    r"debian(?: gnu/linux)? [0-9]{1,2}|ubuntu [0-9]{2}\.[0-9]{2}(?:\.[0-9]{1,2})?(?: lts)?|el[0-9]{1,2}", re.IGNORECASE
)


def comment_mark(comment: str) -> Package | None:
    """The distribution that a comment names; its release only if the comment contains nothing else.

    In other comments the release may be part of a host name.
    """
    return package_mark(comment) if _TITLE.fullmatch(comment) else name_mark(comment)


def version_mark(version: str) -> Package | None:
    """The distribution that the version itself shows."""
    if match := _CODENAME.search(version.lower()):
        return Package(*_CODENAMES[match["name"]])
    return package_mark(version) or (Package(OTHER) if _REVISION.search(version) else None)
