"""Contract suites that a third plant, policy or store inherits to prove itself."""
