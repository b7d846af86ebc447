"""From envelope.toml to an envelope, or to one sentence that says why not."""
