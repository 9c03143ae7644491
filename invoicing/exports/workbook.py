"""The sheets of the exports: those of `entsvc.workbook`, under the name they had here."""

from entsvc.workbook import DAY, EUROS, TEXT, WHOLE, Column, Formula, add_sheet

__all__ = ["DAY", "EUROS", "TEXT", "WHOLE", "Column", "Formula", "add_sheet"]
