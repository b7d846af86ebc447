"""Staged rollout: spec, state and evidence; gates; breakers; assignment of control."""
