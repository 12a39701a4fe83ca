"""Bad weather over good pictures: the ten conditions that the field measures under."""
