"""`pilotage map ...`: one file a command."""
