"""Facts that probes can find out: frozen classes, without judgement and without input or output."""
