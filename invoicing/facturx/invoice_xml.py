"""The XML of an electronic invoice, within its PDF and out of it."""

import re
from datetime import date
from typing import Any

from lxml import etree

FLAVOR, LEVEL = "factur-x", "en16931"
# The library stamps its files with the hour of the clock, D:20250303120000+00'00', its signs in octal.
# What takes the place of the digits is as long, so that no offset of the file moves.
PDF_STAMP = re.compile(rb"(?<=D:)\d{14}(?=\+00'00')|(?<=D\\072)\d{14}(?=\\05300)")
XMP_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?=\+00:00)")


class XmlRefused(Exception):
    """The official schema refuses the XML; the message is the schema's own, in English."""


def xml_of(facts: dict[str, Any]) -> bytes:
    """Return the XML (CII) of the facts of an invoice; raise XmlRefused when the schema refuses it.

    Its schematrons are run apart (see `validation`): without a server of theirs, the library would say
    that they pass.
    """
    from facturx import generate_xml

    try:
        return generate_xml(facts, flavor=FLAVOR, level=LEVEL, check_xsd=True, check_schematron=None)
    except Exception as error:  # the library raises a bare Exception for what its schema refuses
        raise XmlRefused(str(error)) from error


def process_of(xml: bytes) -> str:
    """Return the business process that an invoice was written in (BT-23); nothing when it has none."""
    found = etree.fromstring(xml).find(".//{*}BusinessProcessSpecifiedDocumentContextParameter/{*}ID")
    return "" if found is None else found.text or ""


def schema_refusal(xml: bytes) -> str:
    """Return why the official schema refuses an XML, in its own words; nothing when it passes."""
    from facturx import xml_check_xsd

    try:
        xml_check_xsd(xml, flavor=FLAVOR, level=LEVEL)
    except Exception as error:  # as above
        return str(error)
    return ""


def embed(pdf: bytes, xml: bytes, *, author: str, title: str, subject: str, on: date) -> bytes:
    """Return a PDF/A-3 with the XML within it: same PDF, same XML and same day, same bytes.

    The pages stay those of `pdf`, which must be structured PDF/A-3 already.
    """
    from facturx import generate_from_binary

    told = {"author": author, "title": title, "subject": subject, "keywords": "Factur-X"}
    content = generate_from_binary(
        pdf,
        xml,
        flavor=FLAVOR,
        level=LEVEL,
        check_xsd=False,
        check_schematron=False,
        lang="fr-FR",
        pdf_metadata=told,
        afrelationship="data",
        xmp_compression=False,
    )
    content = PDF_STAMP.sub(f"{on:%Y%m%d}000000".encode(), content)
    return XMP_STAMP.sub(f"{on:%Y-%m-%d}T00:00:00".encode(), content)


def extract(pdf: bytes) -> bytes:
    """Return the XML within a Factur-X; nothing when there is none."""
    from facturx import get_facturx_xml_from_pdf

    name, xml = get_facturx_xml_from_pdf(pdf, check_xsd=False)
    return xml if name else b""
