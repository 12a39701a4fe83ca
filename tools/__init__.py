"""What a person runs: the command line, replay, evaluation, report, demo. Imports all the others."""
