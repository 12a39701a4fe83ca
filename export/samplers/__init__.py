"""Which samples meet in a batch: a function of seed, epoch and what was measured, no more."""
