"""Judgement: pure functions from facts and a policy's demand to a verdict. One file a check, no network, no clock."""
