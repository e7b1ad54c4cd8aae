"""The daemon with thousands of targets: what it costs, compared with loops around other scanners. See docs/scale.md."""
