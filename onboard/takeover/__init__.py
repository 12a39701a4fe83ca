"""Deselecting a GNSS receiver that is jammed, spoofed or lost, and giving it back."""
