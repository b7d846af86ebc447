"""What is computed with the cooling plant: calibration, references, results, generated pages."""
