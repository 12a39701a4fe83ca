"""Recorded flights of autopilots and drones, as the events that the navigator is handed."""
