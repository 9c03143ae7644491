"""The PES v2 file of a bordereau: what goes to the accountant of a local body, by Hélios."""
