"""Who may do what: three groups of staff, each limited to the issuers of its account."""

from django.contrib.auth.models import Group, Permission

VIEW_ALL = [
    "entsvc.datedtext",
    "entsvc.storeddocument",
    "entsvc.importrecord",
    "members.issuer",
    "members.accountant",
    "members.signatory",
    "members.commune",
    "members.member",
    "members.membership",
    "members.groupedschool",
    "members.school",
    "members.headcount",
    "members.usage",
    "members.confirmeddebtor",
    "members.headcountsource",
    "members.act",
    "members.contact",
    "tariffs.schedule",
    "tariffs.version",
    "tariffs.charge",
    "tariffs.band",
    "tariffs.adoption",
    "conventions.convention",
    "conventions.transition",
    "conventions.termination",
    "conventions.conditions",
    "conventions.conditionsnotice",
    "conventions.enrolment",
    "conventions.subscription",
    "conventions.deliveredunits",
    "conventions.amendment",
    "conventions.papertext",
    "conventions.paper",
    "conventions.production",
    "invoicing.campaign",
    "invoicing.run",
    "invoicing.call",
    "invoicing.callline",
    "invoicing.anomaly",
    "invoicing.bordereau",
    "invoicing.titre",
    "invoicing.titreline",
    "invoicing.titredocument",
    "invoicing.counter",
    "invoicing.payment",
    "invoicing.yearpool",
    "invoicing.decideddeduction",
    "invoicing.exclusion",
    "invoicing.acceptance",
]
EDITED_BY_GESTIONNAIRE = [
    "members.member",
    "members.membership",
    "members.groupedschool",
    "members.school",
    "members.confirmeddebtor",
    "members.act",
    "members.contact",
    "tariffs.schedule",
    "tariffs.version",
    "tariffs.charge",
    "tariffs.band",
    "tariffs.adoption",
    "conventions.convention",
    "conventions.conditions",
    "conventions.enrolment",
    "conventions.subscription",
    "conventions.deliveredunits",
    "invoicing.yearpool",
    "invoicing.decideddeduction",
    "invoicing.exclusion",
    "invoicing.acceptance",
]
# Added, or moved on by the actions that ask for « change »: never deleted.
RECORDED_BY_GESTIONNAIRE = ["members.headcount", "members.usage", "conventions.amendment"]
EDITED_BY_FINANCES = [
    "entsvc.datedtext",
    "members.issuer",
    "members.accountant",
    "members.signatory",
    "members.member",
]
READER = [f"view:{model}" for model in VIEW_ALL]
ROLES = {
    "gestionnaire": [
        *READER,
        *(f"{verb}:{model}" for model in EDITED_BY_GESTIONNAIRE for verb in ("add", "change", "delete")),
        *(f"{verb}:{model}" for model in RECORDED_BY_GESTIONNAIRE for verb in ("add", "change")),
        "view:members.portalaccess",
        "add:entsvc.upload",
        "add:conventions.papertext",
        "add:conventions.paper",
        "add:conventions.production",
        "add:conventions.conditionsnotice",
        "compute_run:invoicing.run",
    ],
    "finances": [
        *READER,
        *(f"{verb}:{model}" for model in EDITED_BY_FINANCES for verb in ("add", "change")),
        "compute_run:invoicing.run",
        "issue_titre:invoicing.titre",
        "change:invoicing.titre",
        "record_payment:invoicing.payment",
    ],
    "lecture": READER,
}


def create_groups() -> list[str]:
    """Create the groups that do not exist yet, with their permissions; return their names."""
    created = []
    for name, wanted in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(_permission(item) for item in wanted)
            created.append(name)
    return created


def _permission(item: str) -> Permission:
    verb, label = item.split(":")
    app, model = label.split(".")
    codename = verb if "_" in verb else f"{verb}_{model}"
    return Permission.objects.get(
        codename=codename, content_type__app_label=app, content_type__model=model
    )
