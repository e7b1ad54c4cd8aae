"""Which clients can connect, from facts only: no server is contacted for it. Pure.

`connect` goes through the handshake, `choice` through the server's choice of a suite, `terms` through everything else
that a client and a server have to agree on.
"""
