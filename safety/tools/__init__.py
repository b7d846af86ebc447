"""What `understudy envelope ...` does with an envelope."""
