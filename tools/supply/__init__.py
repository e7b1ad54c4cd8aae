"""What a release says of its parts: their licences, and bills of materials."""
