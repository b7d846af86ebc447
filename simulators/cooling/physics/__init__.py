"""The cooling plant's equations and constants: state and setpoints in, next state and outputs out."""
