"""How the columns of official files are called from one edition to the next: the only table of it.

Names are normalised by `entsvc.tabular.normalise`: case, accents, spaces and punctuation say nothing, so
that « Code postal » and code_postal, coordX_origine and coordx_origine are the same. An alias ending
with * stands for every name that begins so.
"""

# Annuaire de l'éducation (fr-en-annuaire-education); canonical names are those of the 2024 edition.
ANNUAIRE_ALIASES = {
    # Lists made by hand.
    "uai": "identifiant_de_l_etablissement",
    "code_uai": "identifiant_de_l_etablissement",
    "numero_uai": "identifiant_de_l_etablissement",
    # Edition of June 2023.
    "etablissement_multi_lignes": "multi_uai",
    "coordonnee_x": "coordx_origine",
    "coordonnee_y": "coordy_origine",
    "epsg": "epsg_origine",
}

# Counts of écoles: labels until 2023, API names since.
ECOLES = {
    "numero_de_l_ecole": "numero_ecole",
    "nombre_total_d_eleves": "nombre_total_eleves",
}
# Counts of collèges: labels of 2023 (the total is followed by a long explanation), labels of 2025, API.
COLLEGES = {
    "numero_du_college": "numero_college",
    "uai": "numero_college",
    "nombre_d_eleves_total": "nombre_eleves_total",
    "nombre_d_eleves_total_nombre*": "nombre_eleves_total",
}
