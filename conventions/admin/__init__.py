"""Staff pages of agreements, one module by concept."""

from conventions.admin import agreements  # noqa: F401
