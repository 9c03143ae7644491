"""Who may do what: three groups of staff, each limited to the issuers of its account."""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission

from invoicing.former_rights import ADDED, FORMER

VIEW_ALL = [
    "entsvc.datedtext",
    "entsvc.datedfigure",
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
    "conventions.delivery",
    "conventions.amendment",
    "conventions.etatcontradictoire",
    "conventions.memberetat",
    "conventions.objection",
    "conventions.papertext",
    "conventions.paper",
    "conventions.production",
    "conventions.forecast",
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
    "invoicing.numberingpolicy",
    "invoicing.titreevent",
    "invoicing.mandatrequest",
    "invoicing.bordereauevent",
    "invoicing.payment",
    "invoicing.pendingreceipt",
    "invoicing.reminder",
    "invoicing.reminderstep",
    "invoicing.closedexercice",
    "invoicing.coststatement",
    "invoicing.expense",
    "invoicing.ownshare",
    "invoicing.subsidy",
    "invoicing.yearpool",
    "invoicing.decideddeduction",
    "invoicing.exclusion",
    "invoicing.acceptance",
    "invoicing.adjustment",
    "invoicing.votedamount",
    "invoicing.callrules",
    "invoicing.catalogue",
    "invoicing.catalogueitem",
    "invoicing.quote",
    "invoicing.quoteline",
    "invoicing.quoteevent",
    "invoicing.supplierinvoice",
    "invoicing.servedline",
    "invoicing.exportlayout",
    "invoicing.exportcolumn",
    "invoicing.announcement",
    "invoicing.channel",
    "invoicing.sending",
    "invoicing.depositedpiece",
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
    "conventions.delivery",
    "invoicing.coststatement",
    "invoicing.expense",
    "invoicing.ownshare",
    "invoicing.subsidy",
    "invoicing.yearpool",
    "invoicing.decideddeduction",
    "invoicing.exclusion",
    "invoicing.acceptance",
    "invoicing.votedamount",
    "invoicing.catalogue",
    "invoicing.catalogueitem",
    "invoicing.quote",
    "invoicing.quoteline",
    "invoicing.supplierinvoice",
    "invoicing.servedline",
]
# Added, or moved on by the actions that ask for « change »: never deleted.
RECORDED_BY_GESTIONNAIRE = ["members.headcount", "members.usage", "conventions.amendment"]
EDITED_BY_FINANCES = [
    "entsvc.datedtext",
    "entsvc.datedfigure",
    "invoicing.reminderstep",
    "members.issuer",
    "members.accountant",
    "members.signatory",
    "members.member",
    "invoicing.supplierinvoice",
    "invoicing.servedline",
    "invoicing.exportlayout",
    "invoicing.exportcolumn",
    "invoicing.channel",
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
        "add:conventions.forecast",
        "send_forecast:conventions.forecast",
        "add:conventions.etatcontradictoire",
        "change:conventions.etatcontradictoire",
        "change:conventions.objection",
        "compute_run:invoicing.run",
        "visa_statement:invoicing.coststatement",
    ],
    "finances": [
        *READER,
        *(f"{verb}:{model}" for model in EDITED_BY_FINANCES for verb in ("add", "change")),
        "compute_run:invoicing.run",
        "issue_titre:invoicing.titre",
        *(f"{verb}:invoicing.numberingpolicy" for verb in ("add", "change", "delete")),
        *(f"{verb}:invoicing.adjustment" for verb in ("add", "change", "delete")),
        *(f"{verb}:invoicing.callrules" for verb in ("add", "change")),
        "add:entsvc.upload",
        "change:invoicing.titre",
        "record_payment:invoicing.payment",
        "write_reminder:invoicing.reminder",
        "delete:invoicing.reminderstep",
        "delete:invoicing.exportlayout",
        "delete:invoicing.exportcolumn",
        "announce_titre:invoicing.announcement",
        "close_exercice:invoicing.closedexercice",
        "visa_statement:invoicing.coststatement",
        "close_statement:invoicing.coststatement",
    ],
    "lecture": READER,
}


def create_groups() -> list[str]:
    """Create the groups that do not exist yet, with their permissions; return their names."""
    created = []
    for name, wanted in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(permissions(wanted))
            created.append(name)
    return created


def add_new_rights() -> dict[str, list[str]]:
    """Give each known group, once, the rights of the releases that it has not seen; return them all.

    What an administrator changed stays: an emptied group gets nothing, nor does a group that holds any
    right on what a release brought, sign that it was given the rights of that one already.
    """
    added = {}
    for group in Group.objects.filter(name__in=ROLES).order_by("name"):
        given = _new_rights(group)
        if given:
            group.permissions.add(*(permission(item) for item in given))
            added[group.name] = given
    return added


def _new_rights(group: Group) -> list[str]:
    """Return the rights of its role that a group is still to be given."""
    if not _held(group, FORMER[group.name]):
        return []
    known = _models(FORMER.values())
    given: list[str] = []
    for release in (*ADDED, _latest()):
        fresh = release[group.name]
        signs = [item for item in fresh if item.partition(":")[2] not in known]
        if not _held(group, signs):
            held = set(_held(group, fresh))
            given += [item for item in fresh if item not in held]
        known |= _models(release.values())
    return given


def _latest() -> dict[str, list[str]]:
    """Return what ROLES gives beyond the former releases."""
    before = {
        name: {*FORMER[name], *(item for release in ADDED for item in release[name])} for name in ROLES
    }
    return {name: [item for item in ROLES[name] if item not in before[name]] for name in ROLES}


def _models(rights: Iterable[list[str]]) -> set[str]:
    return {item.partition(":")[2] for items in rights for item in items}


def _held(group: Group, items: Iterable[str]) -> list[str]:
    """Return the rights, out of these, that a group holds."""
    rows = group.permissions.order_by("pk").values_list(
        "codename", "content_type__app_label", "content_type__model"
    )
    held = set(rows)
    return [item for item in items if _key(item) in held]


def permissions(items: Iterable[str]) -> list[Permission]:
    """Return the permissions of rights, in one query; raises Permission.DoesNotExist if one lacks."""
    keys = [_key(item) for item in items]
    named = Permission.objects.filter(codename__in={codename for codename, _, _ in keys})
    rows = named.select_related("content_type").order_by("pk")
    known = {(row.codename, row.content_type.app_label, row.content_type.model): row for row in rows}
    for key in keys:
        if key not in known:
            raise Permission.DoesNotExist(".".join(key))
    return [known[key] for key in keys]


def permission(item: str) -> Permission:
    """Return the permission of a right « verb:application.model »; raises Permission.DoesNotExist."""
    return permissions([item])[0]


def _key(item: str) -> tuple[str, str, str]:
    """Return the codename, application and model of a right."""
    verb, label = item.split(":")
    app, model = label.split(".")
    return (verb if "_" in verb else f"{verb}_{model}"), app, model
