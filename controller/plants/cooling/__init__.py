"""The cooling plant: settings, plant, scenario, incumbent, training site, reward, score card."""
