"""Every term of the invoice, looked for in its XML: the library ignores one that it does not know."""

import pytest

from invoicing.facturx.facts import facts_of
from invoicing.facturx.invoice_xml import XmlRefused, xml_of
from invoicing.facturx.profiles import Profile
from tests.invoicing.facturx.examples import credit_facts, facts, invoice, titre_of, values

DOCUMENT = "/rsm:CrossIndustryInvoice/rsm:ExchangedDocument"
DEAL = "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction"
AGREEMENT = f"{DEAL}/ram:ApplicableHeaderTradeAgreement"
SELLER, BUYER = f"{AGREEMENT}/ram:SellerTradeParty", f"{AGREEMENT}/ram:BuyerTradeParty"
SETTLEMENT = f"{DEAL}/ram:ApplicableHeaderTradeSettlement"
MEANS = f"{SETTLEMENT}/ram:SpecifiedTradeSettlementPaymentMeans"
TAX = f"{SETTLEMENT}/ram:ApplicableTradeTax"
SUMS = f"{SETTLEMENT}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
LINE = f"{DEAL}/ram:IncludedSupplyChainTradeLineItem"
PERIOD = f"{SETTLEMENT}/ram:BillingSpecifiedPeriod"
ALLOWANCE = f"{SETTLEMENT}/ram:SpecifiedTradeAllowanceCharge"
ORIGINAL = f"{SETTLEMENT}/ram:InvoiceReferencedDocument"
PROCESS = "//ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"
VAT = "Hors du champ de la TVA (article 256 B du code général des impôts)"

OF_EXAMPLE_A = {
    "BT-1": (f"{DOCUMENT}/ram:ID", ["NPDC-2024-001042"]),
    "BT-2": (f"{DOCUMENT}/ram:IssueDateTime/udt:DateTimeString[@format='102']", ["20241001"]),
    "BT-3": (f"{DOCUMENT}/ram:TypeCode", ["380"]),
    "BT-5": (f"{SETTLEMENT}/ram:InvoiceCurrencyCode", ["EUR"]),
    "BT-10": (f"{AGREEMENT}/ram:BuyerReference", ["SERVICE_EDUC"]),
    "BT-13": (
        f"{AGREEMENT}/ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID",
        ["ENG2024-0042"],
    ),
    "BT-20": (
        f"{SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:Description",
        ["30 jours après la mise à disposition sur Chorus Pro"],
    ),
    "BT-21": (f"{DOCUMENT}/ram:IncludedNote/ram:SubjectCode", ["PMT", "PMD", "AAB", "AAI"]),
    "BT-23": (PROCESS, ["S1"]),
    "BT-24": (
        "//ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
        ["urn:cen.eu:en16931:2017"],
    ),
    "BT-27": (f"{SELLER}/ram:Name", ["Syndicat mixte Nord-Pas-de-Calais Numérique"]),
    "BT-29": (f"{SELLER}/ram:GlobalID[@schemeID='0009']", ["20000000800017"]),
    "BT-30": (f"{SELLER}/ram:SpecifiedLegalOrganization/ram:ID[@schemeID='0002']", ["200000008"]),
    "BT-34": (f"{SELLER}/ram:URIUniversalCommunication/ram:URIID[@schemeID='0225']", ["200000008"]),
    "BT-35": (f"{SELLER}/ram:PostalTradeAddress/ram:LineOne", ["3 rue de l'Exemple"]),
    "BT-37": (f"{SELLER}/ram:PostalTradeAddress/ram:CityName", ["Lille"]),
    "BT-41": (f"{SELLER}/ram:DefinedTradeContact/ram:PersonName", ["Cellule facturation"]),
    "BT-46": (f"{BUYER}/ram:GlobalID[@schemeID='0009']", ["20007246000013"]),
    "BT-47": (f"{BUYER}/ram:SpecifiedLegalOrganization/ram:ID[@schemeID='0002']", ["200072460"]),
    "BT-49": (f"{BUYER}/ram:URIUniversalCommunication/ram:URIID[@schemeID='0225']", ["200072460"]),
    "BT-50": (
        f"{BUYER}/ram:PostalTradeAddress/ram:LineOne",
        ["Direction des finances et de la commande publique"],
    ),
    "BT-51": (f"{BUYER}/ram:PostalTradeAddress/ram:LineTwo", ["4 avenue de l'Exemple"]),
    "BT-53": (f"{BUYER}/ram:PostalTradeAddress/ram:PostcodeCode", ["62400"]),
    "BT-55": (f"{BUYER}/ram:PostalTradeAddress/ram:CountryID", ["FR"]),
    "BT-72": ("//ram:ActualDeliverySupplyChainEvent//udt:DateTimeString", ["20210831"]),
    "BT-73": (f"{PERIOD}/ram:StartDateTime/udt:DateTimeString", ["20200901"]),
    "BT-74": (f"{PERIOD}/ram:EndDateTime/udt:DateTimeString", ["20210831"]),
    "BT-81": (f"{MEANS}/ram:TypeCode", ["30"]),
    "BT-83": (f"{SETTLEMENT}/ram:PaymentReference", ["RF13NPDC2024001042"]),
    "BT-84": (f"{MEANS}//ram:IBANID", ["FR4530001000000000EXEMPLE79"]),
    "BT-84 under no other name": (f"{MEANS}//ram:ProprietaryID", []),
    "BT-86": (f"{MEANS}//ram:BICID", ["BDFEFRPPCCT"]),
    "BT-92": (f"{ALLOWANCE}[ram:ChargeIndicator/udt:Indicator='false']/ram:ActualAmount", ["1000.00"]),
    "BT-95": (f"{ALLOWANCE}/ram:CategoryTradeTax/ram:CategoryCode", ["O"]),
    "BT-106": (f"{SUMS}/ram:LineTotalAmount", ["7476.90"]),
    "BT-107": (f"{SUMS}/ram:AllowanceTotalAmount", ["1000.00"]),
    "BT-109": (f"{SUMS}/ram:TaxBasisTotalAmount", ["6476.90"]),
    "BT-110": (f"{SUMS}/ram:TaxTotalAmount[@currencyID='EUR']", ["0.00"]),
    "BT-112": (f"{SUMS}/ram:GrandTotalAmount", ["6476.90"]),
    "BT-115": (f"{SUMS}/ram:DuePayableAmount", ["6476.90"]),
    "BT-116": (f"{TAX}/ram:BasisAmount", ["6476.90"]),
    "BT-118": (f"{TAX}/ram:CategoryCode", ["O"]),
    "BT-119 has no rate": ("//ram:RateApplicablePercent", []),
    "BT-31 no VAT number": ("//ram:SpecifiedTaxRegistration", []),
    "BT-120": (f"{TAX}/ram:ExemptionReason", [VAT]),
    "BT-121": (f"{TAX}/ram:ExemptionReasonCode", ["VATEX-EU-O"]),
    "BT-126": (f"{LINE}/ram:AssociatedDocumentLineDocument/ram:LineID", ["1", "2", "3", "4", "5"]),
    "BT-129": (
        f"{LINE}[1]/ram:SpecifiedLineTradeDelivery/ram:BilledQuantity[@unitCode='C62']",
        ["412"],
    ),
    "BT-146": (f"{LINE}[1]//ram:NetPriceProductTradePrice/ram:ChargeAmount", ["6.00"]),
    "BT-131": (f"{LINE}[1]//ram:LineTotalAmount", ["2472.00"]),
    "BT-151": (f"{LINE}[1]//ram:ApplicableTradeTax/ram:CategoryCode", ["O"]),
    "BT-153": (
        f"{LINE}[1]/ram:SpecifiedTradeProduct/ram:Name",
        ["Ligne COMPTES – École 1"],
    ),
    "BT-155": (f"{LINE}[1]/ram:SpecifiedTradeProduct/ram:SellerAssignedID", ["COMPTES"]),
    "BT-160": (
        f"{LINE}[1]//ram:ApplicableProductCharacteristic/ram:Description",
        ["UAI", "Commune", "Convention"],
    ),
    "BG-3 of no titre": (ORIGINAL, []),
}


def test_each_term_of_an_invoice_is_where_the_standard_puts_it():
    xml = invoice("A")
    found = {term: values(xml, path) for term, (path, _) in OF_EXAMPLE_A.items()}
    assert found == {term: expected for term, (_, expected) in OF_EXAMPLE_A.items()}


def test_a_credit_note_names_its_titre_and_asks_for_nothing():
    xml = xml_of(credit_facts("A"))
    assert values(xml, f"{DOCUMENT}/ram:TypeCode") == ["381"]
    assert values(xml, f"{ORIGINAL}/ram:IssuerAssignedID") == ["NPDC-2024-001042"]
    assert values(xml, f"{ORIGINAL}//qdt:DateTimeString") == ["20241001"]
    assert values(xml, f"{SUMS}/ram:DuePayableAmount") == ["6476.90"]
    assert values(xml, MEANS) == values(xml, f"{SETTLEMENT}/ram:PaymentReference") == []
    [terms] = values(xml, f"{SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:Description")
    assert terms == "Rien à payer : vient en déduction du titre NPDC-2024-001042 du 01/10/2024."
    assert "Erreur de liquidation : École fermée." in values(xml, f"{DOCUMENT}//ram:Content")[3]


def test_the_frame_of_the_former_portal_is_written_as_such():
    assert values(xml_of(facts("D", Profile.CHORUS)), PROCESS) == ["A1"]


def test_a_specimen_says_so_and_a_true_titre_does_not():
    payload, lines, year = titre_of("D")
    for specimen in (True, False):
        payload["document"]["specimen"] = specimen
        xml = xml_of(facts_of(payload, lines, year=year, profile=Profile.REFORM))
        notes = values(xml, f"{DOCUMENT}//ram:Content")
        assert any(note.startswith("SPÉCIMEN") for note in notes) is specimen


def test_without_service_code_nor_engagement_neither_term_is_written():
    payload, lines, year = titre_of("D")
    xml = xml_of(facts_of(payload, lines, year=year, profile=Profile.REFORM))
    assert values(xml, f"{AGREEMENT}/ram:BuyerReference") == []
    assert values(xml, f"{AGREEMENT}/ram:BuyerOrderReferencedDocument") == []


def test_an_address_of_many_lines_keeps_them_all():
    payload, lines, year = titre_of("D")
    payload["debtor"]["address"] = ["Mairie", "Bâtiment A", "1 place", "BP 12", "31600 Saubens"]
    xml = xml_of(facts_of(payload, lines, year=year, profile=Profile.REFORM))
    assert values(xml, f"{BUYER}/ram:PostalTradeAddress/*") == [
        "31600", "Mairie", "Bâtiment A", "1 place, BP 12", "Saubens", "FR",
    ]  # fmt: skip


def test_what_the_schema_refuses_is_said_and_never_written():
    terms = facts("D")
    del terms["BT-72"]  # the library then writes an empty delivery
    with pytest.raises(XmlRefused, match="ApplicableHeaderTradeDelivery"):
        xml_of(terms)
