"""Trained networks on ground that training never saw."""
