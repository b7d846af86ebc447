"""Training, evaluation and bundles of the cooling plant. Nothing that serves imports it."""
