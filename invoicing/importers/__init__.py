"""What is imported about titres once issued."""
