"""Staff pages of agreements, one module by concept."""

from conventions.admin import agreements, amendments, conditions, papers, year_lists  # noqa: F401
