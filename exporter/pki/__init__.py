"""Knowledge about keys, certificates, chains and CAs that needs no connection."""
