"""What the house costs in time and memory; run by `make bench`, never collected by pytest."""
