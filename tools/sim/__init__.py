"""Simulation: a companion flown in closed loop with a simulated autopilot, ours or ArduPilot's."""
