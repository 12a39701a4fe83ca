"""A procedural world: landscapes that look like overhead imagery, at any epoch, from any camera."""
