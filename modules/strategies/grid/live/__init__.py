"""Sessions of the grid at work: shared market data, one host a session, workers under leases (E5, E7, E12, E13)."""
