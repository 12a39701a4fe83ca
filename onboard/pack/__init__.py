"""A map pack on the aircraft: checked before it is parsed, read tile by tile, searched."""
