"""Will it work here? What a map alone says, before flight, of where its ground can be found."""
