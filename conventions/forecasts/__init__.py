"""Provisional amounts for the members' budgets: prepared, drawn as letters, sent, told again."""
