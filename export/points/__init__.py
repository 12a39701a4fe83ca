"""Point clouds from multi-view photographs, and what is learned beside them."""
