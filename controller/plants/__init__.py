"""Plant ports: what is controlled, real or simulated, behind one protocol."""
