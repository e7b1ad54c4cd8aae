"""Peculiarities of one server that decide how it is asked."""

from dataclasses import dataclass, field

from exporter.model import Protocol


@dataclass(slots=True)
class ServerQuirks:
    """What is known of one server's peculiarities. Every module reads them, one function writes each of them.

    Attributes:
        drops_optional_extensions: it does not answer hellos with the optional extensions of TLS 1.2. Some servers drop
            hellos with many extensions. Written by `tolerance`.
        drops_alpn: it does not answer hellos with application protocols that it does not know. Botan 3.12 sends
            internal_error. Written by `tolerance`.
        drops_server_name: it does not answer hellos with a server name. Written by `tolerance`.
        requires_known_alpn: it ends each handshake in which it shares no application protocol, and has none that is
            known here. Written by `conversation`.
        broken_flights: how many of its flights ended after the ServerHello, before ServerHelloDone. Written by
            `conversation`.
        drops_reduced_hellos: it does not answer some hellos without schemes or groups that it has chosen before.
            Written by `sweep`.
        unoffered_suites: protocol -> suites it answered with although they were not offered. Written by `sweep`.
        refuses_by_closing: it seems to refuse by ending the connection. Written by `tls12`.
        reads_long_lists: it reads the longest list of suites to its end. Written by `tls12`.
        has_two_certificates: it accepts suites for ECDSA certificates and others in one protocol. Written by `tls12`.
        mixes_certificates: it chooses from one list for one kind of certificate, then for the other, then for the
            first again. So it does not choose the certificate first. Written by `tls12`.
        needs_key_shares: it may not know HelloRetryRequest, so hellos of TLS 1.3 carry key shares. Written by `tls13`.
    """

    drops_optional_extensions: bool = False
    drops_alpn: bool = False
    drops_server_name: bool = False
    requires_known_alpn: bool = False
    broken_flights: int = 0
    drops_reduced_hellos: bool = False
    unoffered_suites: dict[Protocol, set[int]] = field(default_factory=dict)
    refuses_by_closing: bool = False
    reads_long_lists: bool = False
    has_two_certificates: bool = False
    mixes_certificates: bool = False
    needs_key_shares: bool = False
