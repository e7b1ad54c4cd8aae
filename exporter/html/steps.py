"""The steps of the checklist, as people read them."""

from collections.abc import Mapping, Sequence

CHECKLIST = "kopano-checklist"
STEPS: Mapping[str, Sequence[str]] = {
    "1 Software": ("server_software",),
    "2 TLS configuration": ("protocols", "cipher_suites", "cipher_order", "compression", "vulnerabilities"),
    "3 HSTS": ("hsts", "hsts_on_errors"),
    "4 CAA": ("caa",),
    "5 SSL Labs' grade": ("certificate_valid", "grade"),
    "Old clients": ("clients",),
}
"""Each step of the checklist, and its remark about old clients -> the checks of the policy that belong to it."""
