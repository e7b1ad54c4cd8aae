"""The demonstration: six services of its own on loopback, a name server, and the daemon. No network, no root."""
