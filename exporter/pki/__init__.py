"""What is known of keys, certificates, chains and CAs, without a connection."""
