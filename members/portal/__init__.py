"""The pages of the members' own people, under /espace/: who they are and what they may see."""
