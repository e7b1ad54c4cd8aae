"""The only modules that talk to the scanned server. Each reports what it saw and judges nothing."""
