"""Checks: pure functions from facts and a policy's demand to a verdict. One file per check, no network, no clock."""
