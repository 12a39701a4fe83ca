"""What the position is sent as: one message, one file."""
