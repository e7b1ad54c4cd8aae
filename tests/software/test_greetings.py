"""Greetings of real servers to product, version and verdict."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.net.starttls import DIALOGUES
from exporter.services import SERVICES
from exporter.software.files import shipped_table
from exporter.software.greetings import read_greeting
from exporter.software.support import support
from tests.support.facts import steady
from tests.support.targets import NOW

LABEL = re.compile(r"[A-Za-z0-9._+-]{1,40}")
YES, NO, OPEN = True, False, None
Row = tuple[str, str | None, bool | None]

GREETINGS: list[tuple[str, str, Row | None]] = [
    ("smtp", "220 mail.example.com ESMTP Postfix", ("postfix", None, OPEN)),
    ("smtp", "220 mail.example.com ESMTP Postfix (Debian/GNU)", ("postfix", None, OPEN)),
    ("smtp", "220 mail.example.com ESMTP Postfix (2.11.3)", ("postfix", "2.11.3", NO)),
    ("smtp", "220 mail.example.com ESMTP Postfix (3.10.13)", ("postfix", "3.10.13", YES)),
    ("smtp", "220 mail.example.com ESMTP Postfix (3.7.11)", ("postfix", "3.7.11", OPEN)),
    ("smtp", "220 mail.example.com ESMTP Postfix (3.5.25)", ("postfix", "3.5.25", OPEN)),
    ("lmtp", "220 mail.example.com LMTP Postfix", ("postfix", None, OPEN)),
    ("smtp", "220 mail.example.com ESMTP Exim 4.99.1 Sun, 22 Nov 2026 12:00:00 +0000", ("exim", "4.99.1", OPEN)),
    ("smtp", "220 mail.example.com ESMTP Exim 4.96 Sun, 22 Nov 2026 12:00:00 +0000", ("exim", "4.96", OPEN)),
    ("smtp", "220 mail.example.com ESMTP Exim 4.95 Ubuntu Sun, 22 Nov 2026", ("exim", "4.95", OPEN)),
    ("smtp", "220-mail.example.com ESMTP Exim 4.93 #2 Sun, 22 Nov 2026 220-We do not", ("exim", "4.93", OPEN)),
    ("smtp", "220 deb10.ubuntu.example.com ESMTP Exim 4.92 Sun, 22 Nov 2026", ("exim", "4.92", NO)),
    ("smtp", "220 m ESMTP Sendmail 8.15.2/8.15.2/Debian-22ubuntu3; Sun, 22 Nov", ("sendmail", "8.15.2", OPEN)),
    ("smtp", "220 m ESMTP Haraka/3.0.2 ready", ("haraka", "3.0.2", OPEN)),
    ("smtp", "220 mx Microsoft ESMTP MAIL Service ready at Sun, 22 Nov 2026", ("microsoft-exchange", None, OPEN)),
    (
        *("smtp", "220 mx Microsoft ESMTP MAIL Service, Version: 10.0.14393.2608 ready at Sun"),
        ("microsoft-smtp", "10.0.14393.2608", OPEN),
    ),
    ("smtp", "220 mail hMailServer ready", ("hmailserver", None, OPEN)),
    ("smtp", "220 mail ESMTP", None),
    ("smtp", "220-mx.example.com ESMTP Postfix 220 mx.example.com ESMTP Postfix", ("postfix", None, OPEN)),
    ("smtp", "220-mx.example.com ESMTP Exim 220 dovecot.example.com Postfix", ("exim", None, OPEN)),
    ("ftp", "220-vsFTPd 220", ("vsftpd", None, OPEN)),
    ("smtp", "220 dovecot.example.com ESMTP Postfix", ("postfix", None, OPEN)),
    ("smtp", "220-postfix.mail-1.example.com ESMTP Exim 4.99.1 Sun", ("exim", "4.99.1", OPEN)),
    ("smtp", "220 exim-4.92.example.com ESMTP", None),
    ("smtp", "220 courier.example. ESMTP", None),
    ("imap", "* OK sendmail.example.com IMAP4rev1 ready", None),
    ("smtp", f"220 mail ESMTP Postfix (3.1{'0' * 600})", ("postfix", None, OPEN)),
    ("smtp", f"220 mail ESMTP {'x' * 486} Exim 4.50.99", ("exim", None, OPEN)),
    ("smtp", f"220 mail ESMTP Exim 4.92 {'x' * 600} Debian", ("exim", None, OPEN)),
    ("mysql", f"5.7.44-{'x' * 600}", None),
    ("smtp", "220 *************", None),
    ("smtp", "220 <b>Exim</b>/4.92 <script>", ("exim", None, OPEN)),
    ("imap", "* OK [CAPABILITY IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED] Dovecot ready.", ("dovecot", None, OPEN)),
    ("imap", "* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot (Debian) ready.", ("dovecot", None, OPEN)),
    ("imap", "* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready. Copyright 1998-2018", ("courier", None, OPEN)),
    (
        *("imap", "* OK mail Cyrus IMAP v2.3.16-Fedora-RPM-2.3.16-15.el6 server ready"),
        ("cyrus-imapd", "2.3.16-Fedora-RPM-2.3.16-15.el6", NO),
    ),
    (
        *("imap", "* OK mail Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u3 server ready"),
        ("cyrus-imapd", "3.6.1-Debian-3.6.1-4+deb12u3", OPEN),
    ),
    ("imap", "* OK The Microsoft Exchange IMAP4 service is ready.", ("microsoft-exchange", None, OPEN)),
    ("pop3", "+OK Dovecot (Ubuntu) ready.", ("dovecot", None, OPEN)),
    ("pop3", "+OK", None),
    ("sieve", '"IMPLEMENTATION" "Dovecot (Debian) Pigeonhole" "SIEVE" "fileinto"', ("dovecot", None, OPEN)),
    ("ftp", "220 (vsFTPd 3.0.3)", ("vsftpd", "3.0.3", OPEN)),
    ("ftp", "220 ProFTPD 1.3.5e Server (site) [192.0.2.1]", ("proftpd", "1.3.5e", NO)),
    ("ftp", "220 ProFTPD 1.3.9 Server (site) [192.0.2.1]", ("proftpd", "1.3.9", OPEN)),
    ("ftp", "220 ProFTPD 1.3.6 Server (Debian) [192.0.2.1]", ("proftpd", "1.3.6", OPEN)),
    ("ftp", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------", ("pure-ftpd", None, OPEN)),
    (
        "ftp",
        "220-FileZilla Server 1.8.1 220 Please visit us",
        ("filezilla-server", "1.8.1", OPEN),
    ),
    ("ftp", "220 Microsoft FTP Service", ("microsoft-ftp-service", None, OPEN)),
    ("nntp", "200 news InterNetNews NNRP server INN 2.7.0 ready (posting ok)", ("inn", "2.7.0", OPEN)),
    ("mysql", "8.4.99", ("mysql", "8.4.99", YES)),
    ("mysql", "8.4.2", ("mysql", "8.4.2", OPEN)),
    ("mysql", "9.7.2", ("mysql", "9.7.2", YES)),
    ("mysql", "8.0.36", ("mysql", "8.0.36", OPEN)),
    ("mysql", "8.0.36-0ubuntu0.22.04.1", ("mysql", "8.0.36", OPEN)),
    ("mysql", "5.7.44-log", ("mysql", "5.7.44", NO)),
    ("mysql", "5.7.42-0ubuntu0.18.04.1", ("mysql", "5.7.42", NO)),
    ("mysql", "5.7.25-TiDB-v6.1.0", ("mysql", "5.7.25", OPEN)),
    ("mysql", "5.7.40-43-log", ("mysql", "5.7.40", OPEN)),
    ("mysql", "5.5.5-10.11.6-MariaDB-0+deb12u1", ("mariadb", "10.11.6", OPEN)),
    ("mysql", "5.5.5-10.4.32-MariaDB", ("mariadb", "10.4.32", NO)),
    ("mysql", "11.8.8-MariaDB", ("mariadb", "11.8.8", YES)),
    ("mysql", "11.8.2-MariaDB", ("mariadb", "11.8.2", OPEN)),
    ("mysql", "12.0.2-MariaDB", ("mariadb", "12.0.2", NO)),
    ("mysql", "12.3.2-MariaDB", ("mariadb", "12.3.2", YES)),
    ("mysql", "11.4.2-MariaDB-ubu2404", ("mariadb", "11.4.2", OPEN)),
    ("mysql", "5.5.5-10.5.12-MariaDB-1:10.5.12+maria~focal", ("mariadb", "10.5.12", NO)),
    ("mysql", "<b>8.0</b>", None),
]


@pytest.mark.parametrize(("dialogue", "text", "expected"), GREETINGS, ids=[text[:60] for _, text, _ in GREETINGS])
def test_a_greeting_is_read_to_product_version_and_verdict(dialogue: str, text: str, expected: Row | None) -> None:
    found = read_greeting(dialogue, text)
    table = shipped_table()
    rows = [(one.product, one.version, support(one, table, NOW).maintained) for one in found]
    assert rows == ([] if expected is None else [expected])
    assert all(one.main for one in found)


SPEAK_FIRST = {service.name for service in SERVICES.values() if service.starttls and service.greeting}


def test_every_dialogue_in_which_the_server_speaks_first_is_one() -> None:
    assert {dialogue for dialogue, _, _ in GREETINGS} == SPEAK_FIRST
    assert set(DIALOGUES) > SPEAK_FIRST


@steady
@given(
    st.sampled_from(sorted(SPEAK_FIRST)),
    st.text() | st.text(alphabet="PostfixEmDovc 0123456789.-+~():#") | st.from_regex(r"220 h ESMTP Exim .{1,80}"),
)
def test_whatever_is_said_brings_only_labels_of_the_narrow_form(dialogue: str, text: str) -> None:
    for one in read_greeting(dialogue, text):
        assert LABEL.fullmatch(one.product)
        assert one.version is None or LABEL.fullmatch(one.version)
