"""A model on a data set by the protocol of the set's authors."""
