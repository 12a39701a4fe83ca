"""A flight as an MCAP file: written in flight, recovered after a crash, handed over again."""
