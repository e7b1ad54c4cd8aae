"""What real servers send before TLS, recorded from the servers of the tests (Debian 12)."""

RECORDED: dict[str, tuple[bytes, ...]] = {
    "smtp": (
        (
            b"220 www.test.example ESMTP Postfix\r\n250-www.test.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n"
            b"250-VRFY\r\n250-ETRN\r\n250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
            b"250-SMTPUTF8\r\n250 CHUNKING\r\n220 2.0.0 Ready to start TLS\r\n"
        ),
        (
            b"220 www.test.example ESMTP Exim 4.96 Sun, 22 Nov 2026 11:00:17 +0000\r\n"
            b"250-www.test.example Hello tls-posture-exporter.invalid [127.0.0.1]\r\n250-SIZE 52428800\r\n"
            b"250-8BITMIME\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250-CHUNKING\r\n250-STARTTLS\r\n250-SMTPUTF8\r\n"
            b"250 HELP\r\n220 TLS go ahead\r\n"
        ),
    ),
    "lmtp": (
        (
            b"220 www.test.example Dovecot (Debian) ready.\r\n250-www.test.example\r\n250-8BITMIME\r\n250-CHUNKING\r\n"
            b"250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250 STARTTLS\r\n220 2.0.0 Begin TLS negotiation now.\r\n"
        ),
    ),
    "imap": (
        (
            b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS AUTH=PLAIN] "
            b"Dovecot (Debian) ready.\r\na1 OK Begin TLS negotiation now.\r\n"
        ),
    ),
    "pop3": (b"+OK Dovecot (Debian) ready.\r\n+OK Begin TLS negotiation now.\r\n",),
    "sieve": (
        (
            b'"IMPLEMENTATION" "Dovecot (Debian) Pigeonhole"\r\n"SIEVE" "fileinto reject envelope encoded-character '
            b"vacation subaddress comparator-i;ascii-numeric relational regex imap4flags copy include variables body "
            b'enotify environment mailbox date index ihave duplicate mime foreverypart extracttext"\r\n"NOTIFY" '
            b'"mailto"\r\n"SASL" "PLAIN"\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK "Dovecot (Debian) ready."\r\n'
            b'OK "Begin TLS negotiation now."\r\n'
        ),
    ),
    "ftp": (b"220 (vsFTPd 3.0.3)\r\n234 Proceed with negotiation.\r\n",),
    "ldap": (bytes.fromhex("300c02010178070a010004000400"),),
    "xmpp": (
        (
            b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en' "
            b"version='1.0' xmlns='jabber:client' id='3db93bfc-655f-44d4-bf4c-f1f04bf3098b' from='www.test.example'>"
            b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
            b"</stream:features><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
        ),
    ),
    "xmpp-server": (
        (
            b"<?xml version='1.0'?><stream:stream xml:lang='en' from='www.test.example' "
            b"id='104275fa-b41c-401a-b0c8-00c82ca11849' version='1.0' xmlns='jabber:server' to='' "
            b"xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
            b"</stream:features><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
        ),
    ),
    "irc": (b":www.test.example 670 * :STARTTLS successful, go ahead with TLS handshake\r\n",),
    "postgres": (b"S",),
    "mysql": (
        (
            b"d\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x04\0\0\x003qcxV&V^\0\xfe\xff\x08\x02\0\xff\x81\x15\0\0\0\0\0\0"
            b'\x1d\0\0\0Y";AsA)KzH9$\0mysql_native_password\0'
        ),
    ),
    "rdp": (bytes.fromhex("030000130ed0000012340002010800") + b"\1\0\0\0",),
}
"""By the values that `starttls:` takes; what a server says at once and after each thing it is told, joined."""
