"""Controllers that run cooling plants today. Pure, over any batch."""
