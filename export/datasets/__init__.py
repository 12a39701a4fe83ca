"""The field's data sets, read from the folders that their authors give out."""
