"""What the autopilot's GNSS receivers are worth: watched, compared, never followed."""
