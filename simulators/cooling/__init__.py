"""Data-centre cooling: zones, coils, chilled water, chillers, tower, weather, IT load."""
