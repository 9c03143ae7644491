"""What a mayor's office sees of its titres, under /espace/."""
