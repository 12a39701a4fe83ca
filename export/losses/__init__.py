"""What training minimises, one file per family."""
