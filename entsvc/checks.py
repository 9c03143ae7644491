"""System checks of the ground floor: can this machine draw a PDF, do the links of mails lead here?"""

import sys
import warnings
from collections.abc import Sequence
from ctypes import CDLL
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

LIBRARIES = (
    "libgobject-2.0.so.0",
    "libpango-1.0.so.0",
    "libharfbuzz.so.0",
    "libfontconfig.so.1",
    "libpangoft2-1.0.so.0",
)
SUBSETTER = "libharfbuzz-subset.so.0"


def register_all() -> None:
    """Register the checks of this module; called once, when the application is ready."""
    register(check_pdf_libraries, "pdf")
    register(check_site_url, "site", deploy=True)


def check_pdf_libraries(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Look for the C libraries of WeasyPrint: E001 without them, W001 without the subsetter."""
    # Importing WeasyPrint takes a second, which every management command would pay.
    if sys.platform == "linux" and all(_loads(name) for name in (*LIBRARIES, SUBSETTER)):
        return []
    try:
        has_subsetter = _weasyprint_has_subsetter()
    except (ImportError, OSError) as error:
        return [
            Error(
                f"Aucun PDF ne peut être produit : WeasyPrint ne se charge pas ({error}).",
                hint="sudo apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
                id="entsvc.E001",
            )
        ]
    if has_subsetter:
        return []
    return [
        Warning(
            "libharfbuzz-subset manque : chaque PDF prend trois fois plus de temps.",
            hint="sudo apt-get install libharfbuzz-subset0",
            id="entsvc.W001",
        )
    ]


def check_site_url(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check that the links of mails lead somewhere: W002 when they lead to this machine only."""
    if urlsplit(settings.SITE_URL).hostname not in ("127.0.0.1", "localhost", None):
        return []
    return [
        Warning(
            f"Les liens des courriels mènent à {settings.SITE_URL} : personne d'autre ne les ouvre.",
            hint="Donnez SITE_URL, l'adresse publique du site.",
            id="entsvc.W002",
        )
    ]


def _loads(name: str) -> bool:
    try:
        CDLL(name)
    except OSError:
        return False
    return True


def _weasyprint_has_subsetter() -> bool:
    """Ask WeasyPrint itself, which knows the libraries' names on every system."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from weasyprint.text import ffi
    return ffi.harfbuzz_subset is not None
