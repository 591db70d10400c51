"""What the two sides of a connection say to each other, as values."""
