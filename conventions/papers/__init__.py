"""The papers of agreements: published placeholders, versioned texts, drawing and freezing."""
