"""The autopilot: connection, clock, streams, decoding, parameters, presets."""
