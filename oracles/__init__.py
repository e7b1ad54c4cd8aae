"""Our handshake probe beside other scanners: do they say the same of the same server? No part of the program."""
