"""One simulation, whole: the tariff tried, what it changes, and what each member would pay."""

from dataclasses import dataclass

from conventions import what_if, what_if_hypotheses
from conventions.what_if import Comparison, Reading
from conventions.what_if_hypotheses import Changes, Step
from entsvc import school_year
from tariffs import engine
from tariffs.models import Version


@dataclass(frozen=True)
class Simulation:
    """What was asked and what it gives; `charges` are those priced, changes made."""

    reading: Reading
    changes: Changes
    charges: tuple[engine.Charge, ...]
    comparison: Comparison

    @property
    def version(self) -> Version:
        """Return the version that is tried, before any change."""
        return self.reading.version

    @property
    def year(self) -> str:
        """Return the school year whose members and counts are taken, 2024-2025."""
        return school_year.label(self.reading.basis.school_year)

    @property
    def tariff(self) -> str:
        """Return what is tried, in words."""
        return f"version « {self.version.label} »" + (", modifiée" if self.is_changed else "")

    @property
    def is_changed(self) -> bool:
        """Tell whether something of the version is changed, besides which counts are admitted."""
        return self.changes != Changes(approximate=self.changes.approximate)

    @property
    def today(self) -> str:
        """Return what « aujourd'hui » is, in words: it may be the tariff of a former year."""
        adoption = self.reading.adoption
        words = (
            f"version « {adoption.version.label} », adoptée pour {adoption.school_year_label}, "
            f"{adoption.act}"
        )
        if self.reading.is_adopted:
            return words
        return f"{words}, appliquée à {self.year} qui n'a pas encore de tarif adopté"

    @property
    def counts(self) -> list[str]:
        """Return where the pupils were read, in words."""
        return what_if.counts_read(self.reading.basis)

    @property
    def steps(self) -> list[Step]:
        """Return the charges before and after, those that change first."""
        found = what_if_hypotheses.steps(self.reading.basis.charges, self.charges, self.changes)
        return sorted(found, key=lambda step: not step.changed)

    @property
    def is_same(self) -> bool:
        """Tell whether the tariff tried is that of today."""
        return not any(step.changed for step in self.steps)


def simulate(reading: Reading, changes: Changes) -> Simulation:
    """Price the members of a reading with its version and what is changed of it."""
    priced = what_if_hypotheses.changed(reading.charges, changes)
    today = reading.basis
    if changes.approximate:
        today = what_if_hypotheses.admitted(today)
    tried = what_if_hypotheses.tried(today, priced, changes, reading.kinds)
    comparison = what_if.compare(today, tried, reading.kinds)
    return Simulation(reading, changes, priced, comparison)
