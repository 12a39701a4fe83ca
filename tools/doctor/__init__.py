"""`pilotage doctor`: whether this machine and this flight are fit to fly, one check at a time."""
