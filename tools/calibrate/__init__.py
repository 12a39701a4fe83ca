"""`pilotage calibrate`: lens, mounting and delays, from a board or from a flight with GNSS."""
