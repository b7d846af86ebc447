"""What surrounds the cooling plant: weather, load, faults, sensors and actuators, and how worlds are drawn."""
