"""What a person runs: command line, replay, evaluation, report, demo. Imports all the others."""
