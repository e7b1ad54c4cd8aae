"""The demonstration: our own two web servers on loopback, a name server, and the daemon. No network, no root."""
