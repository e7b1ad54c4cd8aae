"""Reaching servers: names, connections, STARTTLS dialogues, real TLS. Foreign errors are mapped here."""
