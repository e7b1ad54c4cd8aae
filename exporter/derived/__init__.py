"""What follows from facts of several probes, or of several targets: pure, and derived again with every judgement."""
