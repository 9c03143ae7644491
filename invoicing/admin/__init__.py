"""Staff pages of what is computed, issued, decided and paid."""

from invoicing.admin import decisions, payments, runs, titres

__all__ = ["decisions", "payments", "runs", "titres"]
