"""The demonstration: two servers of our own on loopback, a name server, and the daemon on top. No network, no root."""
