"""A map in cells, each made without its neighbours' help: the one mechanism behind a build on
one machine, on a cluster, an update, and the cutting of a mission's pack."""
