"""Rows that staff write while what they belong to is open only."""

from entsvc.once import asked_once


class WhileOpen:
    """For an inline whose `is_open(parent)` tells until when its rows may change.

    The parent is None on the page that adds one.
    """

    def has_add_permission(self, request, obj=None):
        return self._is_open(request, obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request, obj=None):
        return self._is_open(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return self._is_open(request, obj) and super().has_delete_permission(request, obj)

    def _is_open(self, request, parent):
        key = ("open", type(self), parent and parent.pk)
        return asked_once(request, key, lambda: self.is_open(parent))
