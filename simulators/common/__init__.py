"""What every simulator shares: names and units of signals, random numbers by address."""
