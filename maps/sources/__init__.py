"""Imagery as a person has it, each kind as a source of map tiles."""
