"""Our own training pairs: overhead pictures, cut and changed into tiles and views."""
