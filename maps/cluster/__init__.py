"""A build's cells on many machines, by Dask distributed."""
