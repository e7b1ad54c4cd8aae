"""Extensions in which a server shows its features: their numbers (IANA), and their names in facts and policies."""

HEARTBEAT_NUMBER, APPLICATIONS_NUMBER, ENCRYPT_THEN_MAC_NUMBER = 15, 16, 22
EXTENDED_MASTER_SECRET_NUMBER, SESSION_TICKET_NUMBER, KEY_SHARE_NUMBER = 23, 35, 51
RENEGOTIATION_INFO_NUMBER = 0xFF01

SECURE_RENEGOTIATION = "secure_renegotiation"
ENCRYPT_THEN_MAC = "encrypt_then_mac"
HEARTBEAT = "heartbeat"
OCSP_STAPLING = "ocsp_stapling"
ANSWERED = {
    "extended_master_secret": EXTENDED_MASTER_SECRET_NUMBER,
    "session_tickets": SESSION_TICKET_NUMBER,
    HEARTBEAT: HEARTBEAT_NUMBER,
}
"""Name -> number of the extensions that a server simply answers."""
FLAGS = (SECURE_RENEGOTIATION, *ANSWERED, ENCRYPT_THEN_MAC, OCSP_STAPLING)
"""Names of all extensions that hellos can find out about."""
