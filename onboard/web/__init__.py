"""The status page: a small server and what it shows."""
