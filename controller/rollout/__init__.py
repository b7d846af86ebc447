"""How a candidate earns control: stages, gates, breakers, and the acts of people. Values in, values out."""
