"""The prover: what holds of an envelope whatever the signals, proposals and memory are. Needs z3; the service does not."""
