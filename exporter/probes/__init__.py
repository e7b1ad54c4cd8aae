"""The only modules that talk to the scanned server; each reports what it saw and judges nothing."""
