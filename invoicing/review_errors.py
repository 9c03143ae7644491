"""What a run found wrong, grouped by what mends it: how many members, what to do, where."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.urls import reverse

from conventions.filters import PARAMETER, address
from conventions.findings import Scope
from conventions.readiness import FINDINGS
from conventions.scoped_pages import address_of
from entsvc import school_year
from invoicing.models import Acceptance, Anomaly, Call, Run
from members.models import School

SHOWN = 5  # messages of each group


@dataclass(frozen=True)
class Mend:
    """What mends some anomalies: a sentence, and the page, that of a finding or a list of the staff."""

    code: str
    title: str
    advice: str
    anomalies: tuple[str, ...]
    finding: str = ""
    page: str = ""
    link: str = ""


MENDS = (
    Mend(
        "effectif",
        "Effectif manquant",
        "Importez le constat de rentrée de l'année, ou saisissez l'effectif dans la fiche de l'école.",
        ("missing_count",),
        finding="sans-effectif",
        link="Écoles sans effectif",
    ),
    Mend(
        "approche",
        "Effectif approché",
        "Importez le constat officiel, ou acceptez l'approximation avec un motif.",
        ("count_not_billable",),
        finding="non-facturable",
        link="Écoles à l'effectif approché",
    ),
    Mend(
        "usage",
        "Élèves actifs manquants",
        "Importez le relevé d'usage de l'année.",
        ("missing_usage",),
        finding="sans-usage",
        link="Écoles sans élèves actifs",
    ),
    Mend(
        "usage-superieur",
        "Plus d'élèves actifs que d'élèves",
        "Corrigez l'effectif ou l'usage.",
        ("usage_above_count",),
        finding="usage-superieur",
        link="Écoles concernées",
    ),
    Mend(
        "variation",
        "Effectif très différent de l'an dernier",
        "Comparez avec l'an dernier : souvent une faute de frappe, parfois une fusion d'écoles.",
        ("variation",),
        finding="variation",
        link="Écoles concernées",
    ),
    Mend(
        "annuaire",
        "École que l'annuaire ne décrit pas",
        "Importez l'annuaire de leur territoire, ou corrigez l'UAI dans la convention.",
        ("school_unknown",),
        finding="non-decrites",
        link="Écoles concernées",
    ),
    Mend(
        "secteur",
        "École ni publique ni privée",
        "Complétez le secteur dans la fiche de l'école, ou importez l'annuaire.",
        ("sector_unknown",),
        finding="sans-secteur",
        link="Écoles concernées",
    ),
    Mend(
        "deux-conventions",
        "École nommée par deux conventions",
        "Retirez-la de l'une des deux : elle n'est appelée par aucune en attendant.",
        ("school_twice",),
        finding="deux-conventions",
        link="Conventions en double",
    ),
    Mend(
        "sans-ecole",
        "Convention sans école",
        "Inscrivez les écoles, ou saisissez les unités livrées.",
        ("no_school",),
        finding="sans-ecole",
        link="Conventions sans école",
    ),
    Mend(
        "convention",
        "Convention que ce tarif ne sait pas chiffrer",
        "Corrigez l'option, les unités ou l'école dans la convention, ou la portée du tarif.",
        ("unknown_option", "unknown_unit", "out_of_scope", "no_agreement"),
        page="admin:conventions_convention_changelist",
        link="Conventions",
    ),
    Mend(
        "siret",
        "Payeur sans SIRET",
        "Saisissez le SIRET dans la fiche du membre : sans lui, rien n'est appelé.",
        ("missing_siret",),
        finding="sans-siret",
        link="Membres sans SIRET",
    ),
    Mend(
        "tranches",
        "Effectif au bord ou hors des tranches",
        "Vérifiez l'effectif ; hors des tranches, écartez l'école avec un motif ou complétez le tarif.",
        ("outside_bands", "band_edge"),
        page="admin:invoicing_exclusion_changelist",
        link="Écoles écartées",
    ),
    Mend(
        "enveloppe",
        "Enveloppe à répartir",
        "Saisissez l'enveloppe, ou complétez les quantités qui manquent à sa répartition.",
        ("missing_pool", "pool_weight_unknown", "pool_without_weight"),
        page="admin:invoicing_yearpool_changelist",
        link="Enveloppes",
    ),
    Mend(
        "depenses",
        "Dépenses de l'année à constater",
        "Faites viser et clore l'état des dépenses, puis calculez de nouveau.",
        ("statement_needed", "expenses_to_check"),
        page="admin:invoicing_coststatement_changelist",
        link="États des dépenses",
    ),
    Mend(
        "contestations",
        "Contestation à traiter ou à corriger",
        "Répondez-y ; acceptée, corrigez la donnée ; ou acceptez l'anomalie avec un motif.",
        ("objection_unanswered", "objection_to_mend"),
        page="conventions:etats",
        link="Contestations",
    ),
    Mend(
        "vote",
        "Montant différent de celui voté",
        "Corrigez l'appel ou le montant voté, ou acceptez l'écart avec un motif.",
        ("voted_amount_differs", "voted_amount_missing"),
        page="admin:invoicing_votedamount_changelist",
        link="Montants votés",
    ),
    Mend(
        "deduction",
        "Déduction au-delà de l'appel",
        "Acceptez-la avec un motif pour ne déduire que le montant dû, ou corrigez-la.",
        ("deduction_above_call",),
        page="admin:invoicing_decideddeduction_changelist",
        link="Déductions",
    ),
    Mend(
        "ajustement",
        "Ajustement au-delà de l'appel",
        "Ramenez l'ajustement au montant dû, ou supprimez-le.",
        ("adjustment_above_call",),
        page="admin:invoicing_adjustment_changelist",
        link="Ajustements",
    ),
    Mend(
        "titres",
        "Titres déjà émis à corriger",
        "Réduisez ou annulez le titre nommé, puis calculez de nouveau.",
        ("to_reduce", "annul_first", "called_from_another", "settled"),
        page="admin:invoicing_titre_changelist",
        link="Titres",
    ),
    Mend(
        "seuil",
        "Sous le seuil de mise en recouvrement",
        "La règle d'appel du barème dit s'ils sont émis, reportés ou abandonnés.",
        ("small_skipped", "small_deferred", "small_amount"),
        page="admin:invoicing_callrules_changelist",
        link="Règles d'appel",
    ),
    Mend(
        "ecartees",
        "Écoles écartées de cet appel",
        "Rien à faire si le motif tient ; sinon supprimez la décision, puis calculez de nouveau.",
        ("excluded",),
        page="admin:invoicing_exclusion_changelist",
        link="Écoles écartées",
    ),
    Mend(
        "decisions",
        "Décision sans effet",
        "Le plus souvent un code ou un payeur erroné : corrigez la décision.",
        ("unused_decision",),
        page="admin:invoicing_yearpool_changelist",
        link="Décisions de l'année",
    ),
    Mend("avis", "Avis du tarif", "À lire ; rien n'est à corriger.", ("notice",)),
)
OTHERS = Mend("autres", "Autres constats", "Lisez le message de chacun.", ())
BY_ANOMALY = {code: mend for mend in MENDS for code in mend.anomalies}
BY_CODE = {mend.code: mend for mend in (*MENDS, OTHERS)}


@dataclass
class Group:
    """The anomalies of a run that one thing mends: those that block, those told, those accepted."""

    mend: Mend
    link: str
    blocking: int = 0
    told: int = 0
    accepted: int = 0
    calls: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many anomalies it holds."""
        return self.blocking + self.told + self.accepted

    @property
    def more(self) -> int:
        """Return how many of them no message tells."""
        return self.count - len(self.messages)


def groups_of(run: Run) -> list[Group]:
    """Return the anomalies of a run by what mends them, what blocks first, in two queries."""
    groups: dict[str, Group] = {}
    rows = Anomaly.objects.filter(run=run).order_by()
    for code, blocking, accepted, call in rows.values_list("code", "blocking", "accepted", "call_id"):
        mend = mend_of(code)
        group = groups.get(mend.code)
        if group is None:
            group = groups[mend.code] = Group(mend, link_of(mend, run))
        if blocking:
            group.blocking += 1
        elif accepted:
            group.accepted += 1
        else:
            group.told += 1
        if call:
            group.calls.add(call)
            if blocking:
                group.blocked.add(call)
    for code, messages in _first_messages(run).items():
        group = groups[mend_of(code).code]
        group.messages = (group.messages + messages)[:SHOWN]
    order = list(BY_CODE)
    return sorted(groups.values(), key=lambda g: (not g.blocking, order.index(g.mend.code)))


def mend_of(code: str) -> Mend:
    """Return what mends an anomaly of that code."""
    return BY_ANOMALY.get(code, OTHERS)


def link_of(mend: Mend, run: Run) -> str:
    """Return the page that mends, empty when there is none."""
    scope = Scope(run.campaign.schedule.issuer, run.campaign.school_year)
    if mend.page.startswith("conventions:"):
        return address_of(mend.page, scope)
    if mend.page:
        return reverse(mend.page)
    if not mend.finding:
        return ""
    finding = FINDINGS[mend.finding]
    model = finding.base(scope).model._meta
    changelist = reverse(f"admin:{model.app_label}_{model.model_name}_changelist")
    return f"{changelist}?{urlencode({PARAMETER: address(finding, scope)})}"


def links_to_accept(call: Call, anomalies: Iterable[Anomaly]) -> dict[int, str]:
    """Return, by anomaly, the page where its acceptance only lacks a reason: of those that allow one."""
    may_be = [a for a in anomalies if a.blocking and a.code in Acceptance.Code]
    uais = {anomaly.uai for anomaly in may_be if anomaly.uai}
    schools = dict(School.objects.filter(uai__in=uais).values_list("uai", "pk")) if uais else {}
    campaign, page = call.run.campaign, reverse("admin:invoicing_acceptance_add")
    common = {"schedule": campaign.schedule_id, "school_year": school_year.label(campaign.school_year)}
    common["debtor"] = call.debtor_id
    return {
        anomaly.pk: f"{page}?{urlencode(common | {'code': anomaly.code} | _school(schools, anomaly))}"
        for anomaly in may_be
    }


def _school(schools: dict[str, int], anomaly: Anomaly) -> dict[str, int]:
    return {"school": schools[anomaly.uai]} if anomaly.uai in schools else {}


def _first_messages(run: Run) -> dict[str, list[str]]:
    """Return the first messages of each code, those that block before the others."""
    rank = Window(RowNumber(), partition_by=F("code"), order_by=[F("blocking").desc(), F("pk").asc()])
    rows = Anomaly.objects.filter(run=run).annotate(rank=rank).filter(rank__lte=SHOWN)
    found: dict[str, list[str]] = defaultdict(list)
    for code, message in rows.order_by("-blocking", "code", "rank").values_list("code", "message"):
        found[code].append(message)
    return found
