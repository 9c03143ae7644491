"""Deposit of titres on Chorus Pro by its API, for a body outside Hélios; off unless it is set.

`statuses`, `answers` and `lots` are pure; `client` alone reaches the network; `depositing` and
`following` write what was asked and what was answered.
"""
