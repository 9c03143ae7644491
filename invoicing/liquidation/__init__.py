"""The état liquidatif of a campaign: what the State's own chain is asked to issue."""
