"""What each release gave to the groups, frozen: it tells those of an installation from what is new."""


def rights(verbs: str, models: str) -> list[str]:
    """Return « verb:application.model » for each of these verbs and models, apart by spaces."""
    return [f"{verb}:{model}" for model in models.split() for verb in verbs.split()]


# What the first release gave, frozen: a right of ROLES that is neither there nor in ADDED is new to a
# group that exists.
FORMER_READER = rights(
    "view",
    """
    entsvc.datedtext entsvc.storeddocument entsvc.importrecord members.issuer members.accountant
    members.signatory members.commune members.member members.membership members.groupedschool
    members.school members.headcount members.usage members.confirmeddebtor members.headcountsource
    members.act members.contact tariffs.schedule tariffs.version tariffs.charge tariffs.band
    tariffs.adoption conventions.convention conventions.transition conventions.termination
    conventions.conditions conventions.conditionsnotice conventions.enrolment
    conventions.subscription conventions.deliveredunits conventions.amendment conventions.papertext
    conventions.paper conventions.production invoicing.campaign invoicing.run invoicing.call
    invoicing.callline invoicing.anomaly invoicing.bordereau invoicing.titre invoicing.titreline
    invoicing.titredocument invoicing.counter invoicing.payment invoicing.yearpool
    invoicing.decideddeduction invoicing.exclusion invoicing.acceptance
    """,
)
FORMER = {
    "gestionnaire": [
        *FORMER_READER,
        *rights(
            "add change delete",
            """
            members.member members.membership members.groupedschool members.school
            members.confirmeddebtor members.act members.contact tariffs.schedule tariffs.version
            tariffs.charge tariffs.band tariffs.adoption conventions.convention
            conventions.conditions conventions.enrolment conventions.subscription
            conventions.deliveredunits invoicing.yearpool invoicing.decideddeduction
            invoicing.exclusion invoicing.acceptance
            """,
        ),
        *rights("add change", "members.headcount members.usage conventions.amendment"),
        "view:members.portalaccess",
        "add:entsvc.upload",
        "add:conventions.papertext",
        "add:conventions.paper",
        "add:conventions.production",
        "add:conventions.conditionsnotice",
        "compute_run:invoicing.run",
    ],
    "finances": [
        *FORMER_READER,
        *rights(
            "add change",
            "entsvc.datedtext members.issuer members.accountant members.signatory members.member",
        ),
        "compute_run:invoicing.run",
        "issue_titre:invoicing.titre",
        "change:invoicing.titre",
        "record_payment:invoicing.payment",
    ],
    "lecture": FORMER_READER,
}

QUOTES = """
    conventions.delivery invoicing.catalogue invoicing.catalogueitem invoicing.quote
    invoicing.quoteline invoicing.supplierinvoice invoicing.servedline
"""

# What each release after it added, oldest first, frozen too: at each release, add what it gave.
ADDED: list[dict[str, list[str]]] = [
    {
        "gestionnaire": [
            *rights(
                "view",
                """
                entsvc.datedfigure invoicing.numberingpolicy
                invoicing.titreevent invoicing.mandatrequest
                invoicing.bordereauevent invoicing.pendingreceipt
                invoicing.reminder invoicing.reminderstep
                invoicing.closedexercice invoicing.adjustment
                invoicing.callrules
                """,
            ),
            *rights(
                "view add change delete visa_statement",
                """
                invoicing.coststatement
                """,
            ),
            *rights(
                "view add change delete",
                """
                invoicing.expense invoicing.ownshare invoicing.subsidy
                invoicing.votedamount
                """,
            ),
        ],
        "finances": [
            *rights(
                "view add change",
                """
                entsvc.datedfigure invoicing.callrules
                """,
            ),
            *rights(
                "view add change delete",
                """
                invoicing.numberingpolicy invoicing.reminderstep
                invoicing.adjustment
                """,
            ),
            *rights(
                "view",
                """
                invoicing.titreevent invoicing.mandatrequest
                invoicing.bordereauevent invoicing.pendingreceipt
                invoicing.expense invoicing.ownshare invoicing.subsidy
                invoicing.votedamount
                """,
            ),
            *rights(
                "view write_reminder",
                """
                invoicing.reminder
                """,
            ),
            *rights(
                "view close_exercice",
                """
                invoicing.closedexercice
                """,
            ),
            *rights(
                "view visa_statement close_statement",
                """
                invoicing.coststatement
                """,
            ),
            "add:entsvc.upload",
        ],
        "lecture": [
            *rights(
                "view",
                """
                entsvc.datedfigure invoicing.numberingpolicy
                invoicing.titreevent invoicing.mandatrequest
                invoicing.bordereauevent invoicing.pendingreceipt
                invoicing.reminder invoicing.reminderstep
                invoicing.closedexercice invoicing.coststatement
                invoicing.expense invoicing.ownshare invoicing.subsidy
                invoicing.adjustment invoicing.votedamount invoicing.callrules
                """,
            ),
        ],
    },
    {
        "gestionnaire": [
            *rights("view", QUOTES),
            "view:invoicing.quoteevent",
            *rights("add change delete", QUOTES),
        ],
        "finances": [
            *rights("view", QUOTES),
            "view:invoicing.quoteevent",
            *rights("add change", "invoicing.supplierinvoice invoicing.servedline"),
        ],
        "lecture": [*rights("view", QUOTES), "view:invoicing.quoteevent"],
    },
]
