"""Data-centre cooling: zones, coils, chilled water, chillers, condenser water, tower, weather and load."""
