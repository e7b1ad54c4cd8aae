"""The product in the greeting of a mail, news, file or database server.

Greetings have no grammar (RFC 5321, 4.2 and RFC 959, 5.4 leave the text to the server). So only known names count, and
each pattern is the greeting of one program.
"""

import re

from exporter.software.packages import OTHER, name_mark, package_mark, version_mark
from exporter.software.shown import MAX_TEXT, Package, Shown, as_version

GREETING = "greeting"

_V = r"[vV]?(?P<version>[0-9][A-Za-z0-9._+~-]*)"
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("postfix", rf"\bPostfix\b(?:[ /(-]+{_V})?"),
    ("exim", rf"\bExim(?: {_V})?\b"),
    ("sendmail", rf"\bSendmail\b(?:[ /]{_V})?"),
    ("opensmtpd", r"\bOpenSMTPD\b"),
    ("haraka", rf"\bHaraka(?:[ /]{_V})?"),
    ("dovecot", rf"\bDovecot\b(?: {_V})?"),
    ("cyrus-imapd", rf"\bCyrus (?:IMAP4?|POP3|LMTP|timsieved|NNTP)(?: {_V})?"),
    ("courier", r"\bCourier\b"),
    ("uw-imapd", r"\bIMAP4rev1 20[0-9]{2}[a-z]?\.[0-9]+ at\b"),
    ("hmailserver", rf"\bhMailServer(?: {_V})?"),
    ("mailenable", rf"\bMailEnable\b(?:[^;]{{0,60}}?Version:? ?-*{_V})?"),
    ("mdaemon", rf"\bMDaemon\b(?: {_V})?"),
    ("kerio-connect", rf"\bKerio Connect(?: {_V})?"),
    ("domino", rf"\b(?:Lotus |HCL |IBM )?Domino\b[^;]{{0,40}}?\bRelease {_V}"),
    ("zimbra", r"\bZimbra\b"),
    ("stalwart", r"\bStalwart\b"),
    ("microsoft-exchange", r"\bMicrosoft Exchange\b|\bMicrosoft ESMTP MAIL Service ready\b"),
    ("microsoft-smtp", rf"\bMicrosoft ESMTP MAIL Service, Version: {_V}"),
    ("microsoft-ftp-service", r"\bMicrosoft FTP Service\b"),
    ("proftpd", rf"\bProFTPD\b(?: {_V})?"),
    ("vsftpd", rf"\bvsFTPd\b(?: {_V})?"),
    ("pure-ftpd", r"\bPure-FTPd\b"),
    ("filezilla-server", rf"\bFileZilla Server(?: version)?(?: {_V})?"),
    ("serv-u", rf"\bServ-U FTP Server(?: {_V})?"),
    ("inn", rf"\bINN {_V}"),
)
_HOST = re.compile(r"(?<!\S)(?![vV]?[0-9]+\.[0-9])[\w-]+(?:\.[\w-]+)*\.[A-Za-z][\w-]*\.?(?!\S)")
"""A host name, which may contain anything but is not a version."""
_CODE = re.compile(r"(?<!\S)220(?:[ -]|\Z)")
"""Start of the next line of a reply, so not a version of the previous line's product."""
_KNOWN = tuple((product, re.compile(pattern, re.IGNORECASE)) for product, pattern in _PATTERNS)


def read_greeting(dialogue: str, text: str) -> list[Shown]:
    """The product in the greeting of a server with this dialogue: a list of one or none."""
    whole, text = len(text) < MAX_TEXT, text[:MAX_TEXT]
    if dialogue == "mysql":
        return _database(text) if whole else []
    text = _HOST.sub(" ", _CODE.sub("; ", text))
    matches = [(match.start(), product, match) for product, one in _KNOWN if (match := one.search(text))]
    if not matches:
        return []
    _, product, match = min(matches, key=lambda found: found[0])
    # Of a cut greeting, the end of the version or the distribution may be missing.
    version = match.groupdict().get("version") if whole else None
    package = (version_mark(version) if version else None) or _beside(text[match.end("version" if version else 0) :])
    return [Shown(product, as_version(version) if version else None, GREETING, package, main=True)]


def _beside(rest: str) -> Package | None:
    """The distribution that the words after the product name; the server's own name may be among them."""
    return name_mark(rest) or (Package(OTHER) if re.match(r" ?#[0-9]", rest) else None)


_OWN_SUFFIXES = re.compile(r"(?:-(?:log|debug|enterprise|commercial|community|MariaDB|standard|LTS))*", re.IGNORECASE)


def _database(text: str) -> list[Shown]:
    """MySQL's version, or MariaDB's after the number that it sends first for old clients (MDEV-4088).

    Other servers send MySQL's number and one of their own (TiDB, Aurora, Percona). Anything after the number that is
    not MySQL's own marks a package of another builder.
    """
    product = "mariadb" if "mariadb" in text.lower() else "mysql"
    shown = text.removeprefix("5.5.5-") if product == "mariadb" else text
    number = re.match(r"[0-9]+(?:\.[0-9]+)+", shown)
    if number is None:
        return []
    rest = shown[number.end() :]
    package = None if _OWN_SUFFIXES.fullmatch(rest) else version_mark(shown) or package_mark(rest) or Package(OTHER)
    return [Shown(product, as_version(number[0]), GREETING, package, main=True)]
