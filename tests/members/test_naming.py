"""The name of a body takes its article inside a sentence; an unknown one stands as it is."""

import pytest

from members.naming import after_de, with_article


@pytest.mark.parametrize(
    ("name", "subject", "after"),
    [
        ("Commune de Saubens", "la commune de Saubens", "de la commune de Saubens"),
        ("Commune d'Eaunes", "la commune d'Eaunes", "de la commune d'Eaunes"),
        ("Commune du Fauga", "la commune du Fauga", "de la commune du Fauga"),
        (
            "Communauté de communes Pévèle-Carembault",
            "la communauté de communes Pévèle-Carembault",
            "de la communauté de communes Pévèle-Carembault",
        ),
        (
            "Communauté d'agglomération du Sicoval",
            "la communauté d'agglomération du Sicoval",
            "de la communauté d'agglomération du Sicoval",
        ),
        ("Département de la Somme", "le département de la Somme", "du département de la Somme"),
        (
            "Syndicat mixte Somme Numérique",
            "le syndicat mixte Somme Numérique",
            "du syndicat mixte Somme Numérique",
        ),
        (
            "Région académique Occitanie",
            "la région académique Occitanie",
            "de la région académique Occitanie",
        ),
        ("Académie de Montpellier", "l'académie de Montpellier", "de l'académie de Montpellier"),
        (
            "Établissement public de l'Exemple",
            "l'établissement public de l'Exemple",
            "de l'établissement public de l'Exemple",
        ),
        (
            "Inspection académique de la Somme",
            "l'inspection académique de la Somme",
            "de l'inspection académique de la Somme",
        ),
        ("Ville d'Amiens", "la ville d'Amiens", "de la ville d'Amiens"),
        (
            "Communes d'Amont et d'Aval",
            "les communes d'Amont et d'Aval",
            "des communes d'Amont et d'Aval",
        ),
    ],
)
def test_a_known_noun_takes_its_article(name, subject, after):
    assert with_article(name) == subject
    assert after_de(name) == after


@pytest.mark.parametrize(
    ("name", "subject", "after"),
    [
        ("RPI de la Vallée", "le RPI de la Vallée", "du RPI de la Vallée"),
        ("SIVOM des Coteaux", "le SIVOM des Coteaux", "du SIVOM des Coteaux"),
        ("EPCI du Lac", "l'EPCI du Lac", "de l'EPCI du Lac"),
        ("COMMUNE DE SAUBENS", "la COMMUNE DE SAUBENS", "de la COMMUNE DE SAUBENS"),
        ("Métropole Rouen", "la Métropole Rouen", "de la Métropole Rouen"),
    ],
)
def test_an_acronym_or_a_proper_name_keeps_its_capitals(name, subject, after):
    assert with_article(name) == subject
    assert after_de(name) == after


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("Somme Numérique", "de Somme Numérique"),
        ("Amiens Métropole", "d'Amiens Métropole"),
        ("Évry", "d'Évry"),
        ("Œuilly", "d'Œuilly"),
        ("Ymare", "d'Ymare"),
        ("Yerres", "de Yerres"),
        ("Hauts-de-France", "de Hauts-de-France"),
        ("Le Grand Charmont", "du Grand Charmont"),
        ("Les Deux Rives", "des Deux Rives"),
        ("La Rochelle", "de La Rochelle"),
        ("213 105", "de 213 105"),
        ("", ""),
    ],
)
def test_an_unknown_name_stands_as_it_is(name, after):
    assert with_article(name) == name
    assert after_de(name) == after
