"""Our handshake probe compared with other scanners on the same servers. It is not part of the program."""
