"""One trainer for every network: configuration, tasks, the loop, its log."""
