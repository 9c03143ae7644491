"""What a mayor's office sees and does of its agreements, under /espace/."""
