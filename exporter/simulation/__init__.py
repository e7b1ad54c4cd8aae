"""Which clients can connect, from facts alone: nothing is asked of a server for it. Pure.

`connect` goes through the handshake, `choice` through the server's choice of a suite, `terms` through what a client and
a server have to agree on beside it.
"""
