"""How well descriptors find places: the field's figures by the field's formulas."""
