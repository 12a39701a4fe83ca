"""Where frames come from: one kind of source, one file, behind one contract."""
