"""The electronic invoice of a titre: its EN 16931 facts, its XML in the PDF, and what checks them."""
