import django.db.models.deletion
import entsvc.fields
import simple_history.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("entsvc", "0004_chained_journal"),
        ("invoicing", "0003_payments"),
        ("members", "0004_separate_duties"),
        ("tariffs", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "school_year",
                    entsvc.fields.SchoolYearField(
                        help_text="Écrite comme 2024-2025.", verbose_name="année scolaire"
                    ),
                ),
                (
                    "decided_by",
                    models.CharField(editable=False, max_length=150, verbose_name="décidé par"),
                ),
                ("decided_at", models.DateTimeField(auto_now_add=True, verbose_name="décidé le")),
                (
                    "reason",
                    models.CharField(
                        help_text="Tel qu'imprimé sur le titre.", max_length=250, verbose_name="motif"
                    ),
                ),
                (
                    "debtor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.member",
                        verbose_name="payeur",
                    ),
                ),
                (
                    "label",
                    models.CharField(
                        help_text="Tel qu'imprimé sur le titre.", max_length=150, verbose_name="libellé"
                    ),
                ),
                (
                    "amount",
                    entsvc.fields.MoneyField(
                        help_text="Négatif s'il vient en moins.", verbose_name="montant"
                    ),
                ),
            ],
            options={
                "verbose_name": "ajustement manuel",
                "verbose_name_plural": "ajustements manuels",
                "ordering": ["-school_year", "schedule", "debtor", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True),
                        name="adjustment_not_zero",
                        violation_error_message="Un ajustement n'est pas nul.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BordereauDocument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "bordereau",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="pdf",
                        to="invoicing.bordereau",
                        verbose_name="bordereau",
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="entsvc.storeddocument",
                        verbose_name="document",
                    ),
                ),
            ],
            options={
                "verbose_name": "document de bordereau",
                "verbose_name_plural": "documents de bordereau",
            },
        ),
        migrations.CreateModel(
            name="BordereauEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "bordereau",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="events",
                        to="invoicing.bordereau",
                        verbose_name="bordereau",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("signe", "Signé"), ("envoye", "Envoyé au comptable")],
                        max_length=6,
                        verbose_name="événement",
                    ),
                ),
                ("on", models.DateField(verbose_name="date")),
                ("signatory", models.CharField(blank=True, max_length=410, verbose_name="signataire")),
                ("delegation", models.CharField(blank=True, max_length=200, verbose_name="délégation")),
                ("comment", models.CharField(blank=True, max_length=300, verbose_name="commentaire")),
                ("recorded_by", models.CharField(max_length=150, verbose_name="saisi par")),
                ("recorded_at", models.DateTimeField(auto_now_add=True, verbose_name="saisi le")),
            ],
            options={
                "verbose_name": "étape d'un bordereau",
                "verbose_name_plural": "étapes d'un bordereau",
                "ordering": ["bordereau", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("bordereau", "kind"),
                        name="bordereau_step_once",
                        violation_error_message="Cette étape est déjà enregistrée.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "envoye"), ("signatory", "")),
                            models.Q(("kind", "signe"), models.Q(("signatory", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="bordereau_signature_names_its_signatory",
                        violation_error_message="Une signature dit qui signe.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CallRules",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "schedule",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "after_year_end",
                    models.BooleanField(
                        default=False,
                        help_text="Aucun titre n'est émis avant le 1er septembre qui suit.",
                        verbose_name="appel après la fin de l'année scolaire",
                    ),
                ),
                (
                    "needs_statement",
                    models.BooleanField(
                        default=False,
                        help_text="Une enveloppe saisie à la main ne suffit plus.",
                        verbose_name="enveloppe tirée d'un état des dépenses clos",
                    ),
                ),
                (
                    "small_amounts",
                    models.CharField(
                        choices=[
                            ("emettre", "Émettre quand même"),
                            ("regrouper", "Reporter : appelés avec la campagne suivante"),
                            ("abandonner", "Ne pas appeler"),
                        ],
                        default="emettre",
                        max_length=10,
                        verbose_name="sous le seuil de recouvrement",
                    ),
                ),
            ],
            options={
                "verbose_name": "règle d'appel",
                "verbose_name_plural": "règles d'appel",
                "ordering": ["schedule"],
            },
        ),
        migrations.CreateModel(
            name="ClosedExercice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.issuer",
                        verbose_name="émetteur",
                    ),
                ),
                ("budget", models.CharField(max_length=2, verbose_name="budget")),
                ("exercice", models.PositiveSmallIntegerField(verbose_name="exercice")),
                ("closed_at", models.DateTimeField(auto_now_add=True, verbose_name="clos le")),
                ("closed_by", models.CharField(max_length=150, verbose_name="clos par")),
                ("report", models.JSONField(verbose_name="compte rendu")),
                ("sha256", models.CharField(max_length=64, verbose_name="empreinte du compte rendu")),
                ("journal_head", models.CharField(max_length=64, verbose_name="empreinte du journal")),
            ],
            options={
                "verbose_name": "clôture d'exercice",
                "verbose_name_plural": "clôtures d'exercice",
                "ordering": ["issuer", "budget", "-exercice"],
                "permissions": [("close_exercice", "Peut clore un exercice")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "budget", "exercice"),
                        name="exercice_closed_once",
                        violation_error_message="Cet exercice est déjà clos.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CostStatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "school_year",
                    entsvc.fields.SchoolYearField(
                        help_text="Écrite comme 2024-2025.", verbose_name="année scolaire"
                    ),
                ),
                (
                    "charge",
                    models.SlugField(
                        help_text="Code, comme COMMUN.", max_length=20, verbose_name="ligne tarifaire"
                    ),
                ),
                (
                    "degree",
                    models.CharField(
                        choices=[("1D", "Premier degré"), ("2D", "Second degré")],
                        max_length=2,
                        verbose_name="degré",
                    ),
                ),
                ("starts_on", models.DateField(verbose_name="dépenses payées à partir du")),
                ("ends_on", models.DateField(verbose_name="jusqu'au")),
                (
                    "visa_by",
                    models.CharField(
                        blank=True, editable=False, max_length=150, verbose_name="visé par"
                    ),
                ),
                (
                    "visa_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="visé le"),
                ),
                (
                    "closed_by",
                    models.CharField(
                        blank=True, editable=False, max_length=150, verbose_name="clos par"
                    ),
                ),
                (
                    "closed_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="clos le"),
                ),
                (
                    "pool",
                    entsvc.fields.MoneyField(
                        blank=True, editable=False, null=True, verbose_name="montant net à répartir"
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="entsvc.storeddocument",
                        verbose_name="document",
                    ),
                ),
            ],
            options={
                "verbose_name": "état des dépenses",
                "verbose_name_plural": "états des dépenses",
                "ordering": ["-school_year", "schedule", "charge"],
                "permissions": [
                    ("visa_statement", "Peut viser un état des dépenses"),
                    ("close_statement", "Peut clore un état des dépenses"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("schedule", "school_year", "charge"),
                        name="cost_statement_once",
                        violation_error_message="L'état des dépenses de cette ligne existe déjà pour l'année.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_on__gte", models.F("starts_on"))),
                        name="cost_statement_period_in_order",
                        violation_error_message="La fin de la période précède son début.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at__isnull", True), ("pool__isnull", True)),
                            models.Q(
                                ("closed_at__isnull", False),
                                ("pool__gte", 0),
                                ("pool__isnull", False),
                                ("visa_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="cost_statement_visaed_before_it_closes",
                        violation_error_message="Un état se clôt après son visa, avec son montant net.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Expense",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="expenses",
                        to="invoicing.coststatement",
                        verbose_name="état",
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("fonctionnement", "Fonctionnement, assistance et suivi de projet"),
                            ("contenus", "Contenus payants"),
                            ("plateforme", "Plateforme"),
                            ("comptes", "Comptes des élèves"),
                            ("administration", "Administration"),
                        ],
                        max_length=15,
                        verbose_name="catégorie",
                    ),
                ),
                (
                    "degree",
                    models.CharField(
                        choices=[("1D", "Premier degré"), ("2D", "Second degré")],
                        help_text="Une dépense d'un autre degré que celui de l'état n'est pas répartie.",
                        max_length=2,
                        verbose_name="degré",
                    ),
                ),
                ("supplier", models.CharField(max_length=200, verbose_name="fournisseur")),
                ("label", models.CharField(max_length=200, verbose_name="objet")),
                ("mandat", models.CharField(max_length=30, verbose_name="numéro de mandat")),
                ("paid_on", models.DateField(verbose_name="payée le")),
                (
                    "starts_on",
                    models.DateField(blank=True, null=True, verbose_name="période du service, du"),
                ),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="au")),
                ("amount", entsvc.fields.MoneyField(verbose_name="montant TTC")),
            ],
            options={
                "verbose_name": "dépense",
                "ordering": ["statement", "category", "paid_on", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)),
                        name="expense_positive",
                        violation_error_message="Le montant d'une dépense est positif.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("starts_on__isnull", True),
                            ("ends_on__isnull", True),
                            ("ends_on__gte", models.F("starts_on")),
                            _connector="OR",
                        ),
                        name="expense_period_in_order",
                        violation_error_message="La fin de la période précède son début.",
                    ),
                    models.UniqueConstraint(
                        fields=("statement", "mandat", "category", "label", "amount"),
                        name="expense_once",
                        violation_error_message="Cette dépense est déjà saisie avec le même mandat.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalCallRules",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "after_year_end",
                    models.BooleanField(
                        default=False,
                        help_text="Aucun titre n'est émis avant le 1er septembre qui suit.",
                        verbose_name="appel après la fin de l'année scolaire",
                    ),
                ),
                (
                    "needs_statement",
                    models.BooleanField(
                        default=False,
                        help_text="Une enveloppe saisie à la main ne suffit plus.",
                        verbose_name="enveloppe tirée d'un état des dépenses clos",
                    ),
                ),
                (
                    "small_amounts",
                    models.CharField(
                        choices=[
                            ("emettre", "Émettre quand même"),
                            ("regrouper", "Reporter : appelés avec la campagne suivante"),
                            ("abandonner", "Ne pas appeler"),
                        ],
                        default="emettre",
                        max_length=10,
                        verbose_name="sous le seuil de recouvrement",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical règle d'appel",
                "verbose_name_plural": "historical règles d'appel",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCostStatement",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "school_year",
                    entsvc.fields.SchoolYearField(
                        help_text="Écrite comme 2024-2025.", verbose_name="année scolaire"
                    ),
                ),
                (
                    "charge",
                    models.SlugField(
                        help_text="Code, comme COMMUN.", max_length=20, verbose_name="ligne tarifaire"
                    ),
                ),
                (
                    "degree",
                    models.CharField(
                        choices=[("1D", "Premier degré"), ("2D", "Second degré")],
                        max_length=2,
                        verbose_name="degré",
                    ),
                ),
                ("starts_on", models.DateField(verbose_name="dépenses payées à partir du")),
                ("ends_on", models.DateField(verbose_name="jusqu'au")),
                (
                    "visa_by",
                    models.CharField(
                        blank=True, editable=False, max_length=150, verbose_name="visé par"
                    ),
                ),
                (
                    "visa_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="visé le"),
                ),
                (
                    "closed_by",
                    models.CharField(
                        blank=True, editable=False, max_length=150, verbose_name="clos par"
                    ),
                ),
                (
                    "closed_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="clos le"),
                ),
                (
                    "pool",
                    entsvc.fields.MoneyField(
                        blank=True, editable=False, null=True, verbose_name="montant net à répartir"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="entsvc.storeddocument",
                        verbose_name="document",
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical état des dépenses",
                "verbose_name_plural": "historical états des dépenses",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalExpense",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("fonctionnement", "Fonctionnement, assistance et suivi de projet"),
                            ("contenus", "Contenus payants"),
                            ("plateforme", "Plateforme"),
                            ("comptes", "Comptes des élèves"),
                            ("administration", "Administration"),
                        ],
                        max_length=15,
                        verbose_name="catégorie",
                    ),
                ),
                (
                    "degree",
                    models.CharField(
                        choices=[("1D", "Premier degré"), ("2D", "Second degré")],
                        help_text="Une dépense d'un autre degré que celui de l'état n'est pas répartie.",
                        max_length=2,
                        verbose_name="degré",
                    ),
                ),
                ("supplier", models.CharField(max_length=200, verbose_name="fournisseur")),
                ("label", models.CharField(max_length=200, verbose_name="objet")),
                ("mandat", models.CharField(max_length=30, verbose_name="numéro de mandat")),
                ("paid_on", models.DateField(verbose_name="payée le")),
                (
                    "starts_on",
                    models.DateField(blank=True, null=True, verbose_name="période du service, du"),
                ),
                ("ends_on", models.DateField(blank=True, null=True, verbose_name="au")),
                ("amount", entsvc.fields.MoneyField(verbose_name="montant TTC")),
                (
                    "statement",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="invoicing.coststatement",
                        verbose_name="état",
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical dépense",
                "verbose_name_plural": "historical dépenses",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalNumberingPolicy",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                ("budget", models.CharField(default="00", max_length=2, verbose_name="budget")),
                ("exercice", models.PositiveSmallIntegerField(verbose_name="exercice")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("titre", "Titres"),
                            ("bordereau", "Bordereaux de titres"),
                            ("correction", "Annulations et réductions"),
                            ("bordereau-correction", "Bordereaux d'annulations et de réductions"),
                        ],
                        max_length=20,
                        verbose_name="série",
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("propre", "Notre série"),
                            ("reservee", "Plage réservée auprès du comptable"),
                            ("externe", "Numéro attribué par la chaîne comptable"),
                        ],
                        default="propre",
                        max_length=8,
                        verbose_name="numérotation",
                    ),
                ),
                ("first_number", models.PositiveIntegerField(default=1, verbose_name="premier numéro")),
                (
                    "last_number",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="dernier numéro"),
                ),
                (
                    "reference",
                    models.CharField(blank=True, max_length=200, verbose_name="accord du comptable"),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="members.issuer",
                        verbose_name="émetteur",
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical numérotation d'une série",
                "verbose_name_plural": "historical numérotations des séries",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalOwnShare",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("fonctionnement", "Fonctionnement, assistance et suivi de projet"),
                            ("contenus", "Contenus payants"),
                            ("plateforme", "Plateforme"),
                            ("comptes", "Comptes des élèves"),
                            ("administration", "Administration"),
                        ],
                        max_length=15,
                        verbose_name="catégorie",
                    ),
                ),
                ("amount", entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant")),
                (
                    "rate",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="De 0 à 100.",
                        max_digits=5,
                        null=True,
                        verbose_name="taux (%)",
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="motif ou référence")),
                (
                    "statement",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="invoicing.coststatement",
                        verbose_name="état",
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical part du budget propre",
                "verbose_name_plural": "historical parts du budget propre",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalSubsidy",
            fields=[
                (
                    "id",
                    models.BigIntegerField(
                        auto_created=True, blank=True, db_index=True, verbose_name="ID"
                    ),
                ),
                (
                    "school_year",
                    entsvc.fields.SchoolYearField(
                        help_text="Écrite comme 2024-2025.", verbose_name="année scolaire"
                    ),
                ),
                ("giver", models.CharField(max_length=200, verbose_name="financeur")),
                (
                    "label",
                    models.CharField(
                        help_text="Tel qu'imprimé sur le titre.", max_length=150, verbose_name="libellé"
                    ),
                ),
                (
                    "pledged",
                    entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant promis"),
                ),
                ("pledged_on", models.DateField(blank=True, null=True, verbose_name="promise le")),
                (
                    "notified",
                    entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant notifié"),
                ),
                ("notified_on", models.DateField(blank=True, null=True, verbose_name="notifiée le")),
                (
                    "received",
                    entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant reçu"),
                ),
                ("received_on", models.DateField(blank=True, null=True, verbose_name="reçue le")),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "debtor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="members.member",
                        verbose_name="vient en moins de l'appel de",
                    ),
                ),
                (
                    "statement",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="invoicing.coststatement",
                        verbose_name="ou vient en moins de l'état des dépenses",
                    ),
                ),
                (
                    "act",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="members.act",
                        verbose_name="acte",
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical subvention",
                "verbose_name_plural": "historical subventions",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="MandatRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "titre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="mandat_requests",
                        to="invoicing.titre",
                        verbose_name="titre",
                    ),
                ),
                ("amount", entsvc.fields.MoneyField(verbose_name="montant à annuler")),
                ("account", models.CharField(max_length=20, verbose_name="compte")),
                (
                    "reason_code",
                    models.CharField(
                        choices=[
                            ("debiteur", "Erreur sur le débiteur"),
                            ("liquidation", "Erreur de liquidation"),
                            ("doublon", "Créance déjà appelée"),
                            ("disparu", "Débiteur fusionné ou dissous"),
                            ("juge", "Décharge prononcée par le juge"),
                        ],
                        max_length=12,
                        verbose_name="motif",
                    ),
                ),
                ("reason", models.TextField(verbose_name="erreur commise")),
                ("requested_on", models.DateField(verbose_name="date")),
                ("requested_by", models.CharField(max_length=150, verbose_name="demandé par")),
                ("requested_at", models.DateTimeField(auto_now_add=True, verbose_name="enregistré le")),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="entsvc.storeddocument",
                        verbose_name="document",
                    ),
                ),
            ],
            options={
                "verbose_name": "demande de mandat",
                "verbose_name_plural": "demandes de mandat",
                "ordering": ["-requested_on", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)),
                        name="mandat_request_positive",
                        violation_error_message="Le montant d'une demande de mandat est positif.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NumberingPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.issuer",
                        verbose_name="émetteur",
                    ),
                ),
                ("budget", models.CharField(default="00", max_length=2, verbose_name="budget")),
                ("exercice", models.PositiveSmallIntegerField(verbose_name="exercice")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("titre", "Titres"),
                            ("bordereau", "Bordereaux de titres"),
                            ("correction", "Annulations et réductions"),
                            ("bordereau-correction", "Bordereaux d'annulations et de réductions"),
                        ],
                        max_length=20,
                        verbose_name="série",
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("propre", "Notre série"),
                            ("reservee", "Plage réservée auprès du comptable"),
                            ("externe", "Numéro attribué par la chaîne comptable"),
                        ],
                        default="propre",
                        max_length=8,
                        verbose_name="numérotation",
                    ),
                ),
                ("first_number", models.PositiveIntegerField(default=1, verbose_name="premier numéro")),
                (
                    "last_number",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="dernier numéro"),
                ),
                (
                    "reference",
                    models.CharField(blank=True, max_length=200, verbose_name="accord du comptable"),
                ),
            ],
            options={
                "verbose_name": "numérotation d'une série",
                "verbose_name_plural": "numérotations des séries",
                "ordering": ["issuer", "budget", "-exercice", "kind"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "budget", "exercice", "kind", "first_number"),
                        name="numbering_policy_once",
                        violation_error_message="La numérotation de cette série est déjà réglée.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(("kind", "correction"), _negated=True),
                                models.Q(
                                    ("last_number__isnull", True),
                                    ("last_number__lte", 999999),
                                    _connector="OR",
                                ),
                                ("first_number__lte", 999999),
                            ),
                            models.Q(
                                models.Q(
                                    ("last_number__isnull", True),
                                    ("last_number__lte", 99999),
                                    _connector="OR",
                                ),
                                ("first_number__lte", 99999),
                                ("kind", "correction"),
                            ),
                            _connector="OR",
                        ),
                        name="numbering_policy_within_reference",
                        violation_error_message="Une référence ne montre que 6 chiffres (5 pour une annulation ou une réduction) : ce numéro est trop grand.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mode", "externe"), _negated=True),
                            models.Q(("first_number", 1), ("kind__in", ["titre", "correction"])),
                            _connector="OR",
                        ),
                        name="numbering_policy_external_pieces",
                        violation_error_message="La chaîne comptable numérote des titres ou leurs corrections, et leur référence provisoire part de 1.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first_number__gte", 1)),
                        name="numbering_policy_from_one",
                        violation_error_message="Une série commence à 1 ou plus.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("last_number__gte", models.F("first_number")),
                                ("last_number__isnull", False),
                                ("mode", "reservee"),
                            ),
                            models.Q(
                                models.Q(("mode", "reservee"), _negated=True),
                                ("last_number__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="numbering_policy_range_in_order",
                        violation_error_message="Une plage réservée, et elle seule, a un dernier numéro, qui ne précède pas le premier.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OwnShare",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="own_shares",
                        to="invoicing.coststatement",
                        verbose_name="état",
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("fonctionnement", "Fonctionnement, assistance et suivi de projet"),
                            ("contenus", "Contenus payants"),
                            ("plateforme", "Plateforme"),
                            ("comptes", "Comptes des élèves"),
                            ("administration", "Administration"),
                        ],
                        max_length=15,
                        verbose_name="catégorie",
                    ),
                ),
                ("amount", entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant")),
                (
                    "rate",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="De 0 à 100.",
                        max_digits=5,
                        null=True,
                        verbose_name="taux (%)",
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="motif ou référence")),
            ],
            options={
                "verbose_name": "part du budget propre",
                "verbose_name_plural": "parts du budget propre",
                "ordering": ["statement", "category"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("statement", "category"),
                        name="own_share_once",
                        violation_error_message="La part de cette catégorie est déjà saisie.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount__gte", 0), ("amount__isnull", False), ("rate__isnull", True)
                            ),
                            models.Q(
                                ("amount__isnull", True),
                                ("rate__gte", 0),
                                ("rate__isnull", False),
                                ("rate__lte", 100),
                            ),
                            _connector="OR",
                        ),
                        name="own_share_is_amount_or_rate",
                        violation_error_message="Donnez un montant, ou un taux de 0 à 100, et un seul des deux.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PendingReceipt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.issuer",
                        verbose_name="émetteur",
                    ),
                ),
                ("received_on", models.DateField(verbose_name="date")),
                ("amount", entsvc.fields.MoneyField(verbose_name="montant")),
                ("reference", models.CharField(max_length=100, verbose_name="référence du comptable")),
                ("wording", models.CharField(blank=True, max_length=300, verbose_name="libellé")),
                ("payer", models.CharField(blank=True, max_length=200, verbose_name="payeur")),
                ("siret", models.CharField(blank=True, max_length=14, verbose_name="SIRET")),
                (
                    "suggested",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="invoicing.titre",
                        verbose_name="titre proposé",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("attente", "À attribuer"),
                            ("saisi", "Attribué"),
                            ("ecarte", "Écarté"),
                        ],
                        default="attente",
                        max_length=7,
                        verbose_name="état",
                    ),
                ),
                (
                    "payment",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="invoicing.payment",
                        verbose_name="encaissement",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="motif")),
                ("decided_by", models.CharField(blank=True, max_length=150, verbose_name="décidé par")),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="décidé le")),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="entsvc.importrecord",
                        verbose_name="fichier",
                    ),
                ),
            ],
            options={
                "verbose_name": "encaissement à attribuer",
                "verbose_name_plural": "encaissements à attribuer",
                "ordering": ["state", "received_on", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "received_on", "amount", "reference"),
                        name="pending_receipt_once",
                        violation_error_message="Cette ligne du comptable est déjà enregistrée.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)),
                        name="pending_receipt_positive",
                        violation_error_message="Le montant d'un encaissement est positif.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_at__isnull", True),
                                ("payment__isnull", True),
                                ("state", "attente"),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("payment__isnull", False),
                                ("state", "saisi"),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("payment__isnull", True),
                                ("state", "ecarte"),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="pending_receipt_decided_says_how",
                        violation_error_message="Une ligne attribuée nomme son encaissement, une ligne écartée son motif.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "titre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="reminders",
                        to="invoicing.titre",
                        verbose_name="titre",
                    ),
                ),
                ("level", models.PositiveSmallIntegerField(verbose_name="niveau")),
                ("written_on", models.DateField(verbose_name="date")),
                ("remaining", entsvc.fields.MoneyField(verbose_name="reste à payer")),
                ("written_by", models.CharField(max_length=150, verbose_name="écrite par")),
                ("written_at", models.DateTimeField(auto_now_add=True, verbose_name="enregistrée le")),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="entsvc.storeddocument",
                        verbose_name="document",
                    ),
                ),
            ],
            options={
                "verbose_name": "relance",
                "ordering": ["titre", "level"],
                "permissions": [("write_reminder", "Peut écrire des relances")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("titre", "level"),
                        name="reminder_once",
                        violation_error_message="Cette relance est déjà écrite.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReminderStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "issuer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.issuer",
                        verbose_name="émetteur",
                    ),
                ),
                ("level", models.PositiveSmallIntegerField(verbose_name="niveau")),
                ("days", models.PositiveSmallIntegerField(verbose_name="jours après l'échéance")),
                ("title", models.CharField(max_length=100, verbose_name="titre du courrier")),
                ("body", models.TextField(verbose_name="texte")),
            ],
            options={
                "verbose_name": "niveau de relance",
                "verbose_name_plural": "niveaux de relance",
                "ordering": ["issuer", "level"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "level"),
                        name="reminder_step_once",
                        violation_error_message="Ce niveau de relance existe déjà.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("level__gte", 1)),
                        name="reminder_step_from_one",
                        violation_error_message="Le premier niveau de relance est le 1.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subsidy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "school_year",
                    entsvc.fields.SchoolYearField(
                        help_text="Écrite comme 2024-2025.", verbose_name="année scolaire"
                    ),
                ),
                ("giver", models.CharField(max_length=200, verbose_name="financeur")),
                (
                    "label",
                    models.CharField(
                        help_text="Tel qu'imprimé sur le titre.", max_length=150, verbose_name="libellé"
                    ),
                ),
                (
                    "debtor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.member",
                        verbose_name="vient en moins de l'appel de",
                    ),
                ),
                (
                    "statement",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="subsidies",
                        to="invoicing.coststatement",
                        verbose_name="ou vient en moins de l'état des dépenses",
                    ),
                ),
                (
                    "pledged",
                    entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant promis"),
                ),
                ("pledged_on", models.DateField(blank=True, null=True, verbose_name="promise le")),
                (
                    "notified",
                    entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant notifié"),
                ),
                ("notified_on", models.DateField(blank=True, null=True, verbose_name="notifiée le")),
                (
                    "received",
                    entsvc.fields.MoneyField(blank=True, null=True, verbose_name="montant reçu"),
                ),
                ("received_on", models.DateField(blank=True, null=True, verbose_name="reçue le")),
                (
                    "act",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.act",
                        verbose_name="acte",
                    ),
                ),
            ],
            options={
                "verbose_name": "subvention",
                "ordering": ["-school_year", "schedule", "giver", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("debtor__isnull", False), ("statement__isnull", True)),
                            models.Q(("debtor__isnull", True), ("statement__isnull", False)),
                            _connector="OR",
                        ),
                        name="subsidy_benefits_one",
                        violation_error_message="Une subvention vient en moins d'un appel ou d'un état des dépenses : choisissez l'un des deux.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pledged", None), ("pledged_on", None)),
                            models.Q(
                                ("pledged__gt", 0),
                                ("pledged__isnull", False),
                                ("pledged_on__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="subsidy_pledged_has_its_date",
                        violation_error_message="Un montant de subvention est positif et a sa date.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("notified", None), ("notified_on", None)),
                            models.Q(
                                ("notified__gt", 0),
                                ("notified__isnull", False),
                                ("notified_on__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="subsidy_notified_has_its_date",
                        violation_error_message="Un montant de subvention est positif et a sa date.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("received", None), ("received_on", None)),
                            models.Q(
                                ("received__gt", 0),
                                ("received__isnull", False),
                                ("received_on__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="subsidy_received_has_its_date",
                        violation_error_message="Un montant de subvention est positif et a sa date.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("pledged__isnull", False),
                            ("notified__isnull", False),
                            ("received__isnull", False),
                            _connector="OR",
                        ),
                        name="subsidy_has_an_amount",
                        violation_error_message="Donnez au moins un montant, promis, notifié ou reçu.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TitreEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "titre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="events",
                        to="invoicing.titre",
                        verbose_name="titre",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("pris-en-charge", "Pris en charge"),
                            ("rejete", "Rejeté par le comptable"),
                        ],
                        max_length=15,
                        verbose_name="événement",
                    ),
                ),
                ("on", models.DateField(verbose_name="date")),
                (
                    "comment",
                    models.CharField(blank=True, max_length=300, verbose_name="motif ou référence"),
                ),
                ("recorded_by", models.CharField(max_length=150, verbose_name="saisi par")),
                ("recorded_at", models.DateTimeField(auto_now_add=True, verbose_name="saisi le")),
            ],
            options={
                "verbose_name": "suite donnée par le comptable",
                "verbose_name_plural": "suites données par le comptable",
                "ordering": ["titre", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind", "pris-en-charge"),
                            models.Q(("comment", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="titre_rejection_says_why",
                        violation_error_message="Un rejet dit pourquoi.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VotedAmount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tariffs.schedule",
                        verbose_name="barème",
                    ),
                ),
                (
                    "school_year",
                    entsvc.fields.SchoolYearField(
                        help_text="Écrite comme 2024-2025.", verbose_name="année scolaire"
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="motif ou référence")),
                (
                    "decided_by",
                    models.CharField(editable=False, max_length=150, verbose_name="décidé par"),
                ),
                ("decided_at", models.DateTimeField(auto_now_add=True, verbose_name="décidé le")),
                (
                    "debtor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.member",
                        verbose_name="payeur",
                    ),
                ),
                ("amount", entsvc.fields.MoneyField(verbose_name="montant voté")),
                (
                    "act",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="members.act",
                        verbose_name="délibération",
                    ),
                ),
            ],
            options={
                "verbose_name": "montant voté",
                "verbose_name_plural": "montants votés",
                "ordering": ["-school_year", "schedule", "debtor"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("schedule", "school_year", "debtor"),
                        name="voted_amount_once",
                        violation_error_message="Le montant voté pour ce membre est déjà saisi.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)),
                        name="voted_amount_not_negative",
                        violation_error_message="Un montant voté n'est pas négatif.",
                    ),
                ],
            },
        ),
        migrations.AlterModelOptions(
            name="bordereau",
            options={
                "ordering": ["issuer", "-exercice", "kind", "-number"],
                "verbose_name": "bordereau",
                "verbose_name_plural": "bordereaux",
            },
        ),
        migrations.RemoveConstraint(
            model_name="bordereau",
            name="bordereau_number_once",
        ),
        migrations.RemoveConstraint(
            model_name="titre",
            name="titre_reference_once",
        ),
        migrations.RemoveConstraint(
            model_name="titre",
            name="titre_principal_once",
        ),
        migrations.RemoveConstraint(
            model_name="titre",
            name="titre_correction_names_original",
        ),
        migrations.AddField(
            model_name="bordereau",
            name="kind",
            field=models.CharField(
                choices=[("titres", "Titres"), ("corrections", "Annulations et réductions")],
                default="titres",
                max_length=11,
                verbose_name="nature",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="reason",
            field=models.CharField(
                blank=True,
                help_text="D'une campagne complémentaire : école oubliée, membre tardif…",
                max_length=300,
                verbose_name="motif",
            ),
        ),
        migrations.AddField(
            model_name="titre",
            name="reason",
            field=models.TextField(blank=True, verbose_name="erreur commise"),
        ),
        migrations.AddField(
            model_name="titre",
            name="reason_code",
            field=models.CharField(
                blank=True,
                choices=[
                    ("debiteur", "Erreur sur le débiteur"),
                    ("liquidation", "Erreur de liquidation"),
                    ("doublon", "Créance déjà appelée"),
                    ("disparu", "Débiteur fusionné ou dissous"),
                    ("juge", "Décharge prononcée par le juge"),
                ],
                max_length=12,
                verbose_name="motif",
            ),
        ),
        migrations.AddField(
            model_name="titre",
            name="sha256",
            field=entsvc.fields.FingerprintField(
                blank=True,
                default="",
                editable=False,
                max_length=64,
                of="payload",
                verbose_name="empreinte du contenu",
            ),
        ),
        migrations.AddField(
            model_name="titre",
            name="replaces",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="replaced_by",
                to="invoicing.titre",
                verbose_name="titre remplacé",
            ),
        ),
        migrations.AlterField(
            model_name="acceptance",
            name="code",
            field=models.CharField(
                choices=[
                    ("count_not_billable", "Effectif approché"),
                    ("deduction_above_call", "Déduction au-delà du montant dû"),
                    ("voted_amount_differs", "Montant différent de celui voté"),
                ],
                max_length=30,
                verbose_name="anomalie",
            ),
        ),
        migrations.AlterField(
            model_name="bordereau",
            name="count",
            field=models.PositiveIntegerField(verbose_name="nombre de pièces"),
        ),
        migrations.AlterField(
            model_name="bordereau",
            name="run",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="bordereaux",
                to="invoicing.run",
                verbose_name="calcul",
            ),
        ),
        migrations.AlterField(
            model_name="counter",
            name="kind",
            field=models.CharField(
                choices=[
                    ("titre", "Titres"),
                    ("bordereau", "Bordereaux de titres"),
                    ("correction", "Annulations et réductions"),
                    ("bordereau-correction", "Bordereaux d'annulations et de réductions"),
                ],
                max_length=20,
                verbose_name="série",
            ),
        ),
        migrations.AlterField(
            model_name="titredocument",
            name="role",
            field=models.CharField(
                choices=[("pdf", "Document en PDF"), ("numerote", "Titre au numéro du comptable")],
                max_length=10,
                verbose_name="nature",
            ),
        ),
        migrations.AddConstraint(
            model_name="bordereau",
            constraint=models.UniqueConstraint(
                fields=("issuer", "budget", "exercice", "kind", "number"), name="bordereau_number_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="bordereau",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "corrections"), ("run__isnull", False), _connector="OR"),
                name="bordereau_of_titres_names_its_run",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rank", 1), models.Q(("reason", ""), _negated=True), _connector="OR"
                ),
                name="campaign_supplementary_says_why",
                violation_error_message="Une campagne complémentaire dit pourquoi.",
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind__in", ["annulation", "reduction"])),
                fields=("issuer", "budget", "exercice", "number"),
                name="titre_correction_number_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.UniqueConstraint(
                fields=("issuer", "reference"), name="titre_reference_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("kind", "titre"), models.Q(("external_reference", ""), _negated=True)
                ),
                fields=("issuer", "budget", "exercice", "external_reference"),
                name="titre_external_reference_once",
                violation_error_message="Un autre titre de cet exercice porte déjà ce numéro du comptable.",
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("kind", "titre"), _negated=True),
                    models.Q(("external_reference", ""), _negated=True),
                ),
                fields=("issuer", "budget", "exercice", "external_reference"),
                name="titre_correction_external_reference_once",
                violation_error_message="Une autre annulation ou réduction de cet exercice porte déjà ce numéro du comptable.",
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.UniqueConstraint(
                condition=models.Q(("original__isnull", True), ("replaces__isnull", True)),
                fields=("campaign", "debtor"),
                name="titre_principal_once",
                violation_error_message="Ce membre a déjà son titre dans cette campagne.",
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "titre"), ("original__isnull", True), ("reason_code", "")),
                    models.Q(
                        models.Q(("kind", "titre"), _negated=True),
                        models.Q(("reason_code", ""), _negated=True),
                        models.Q(("reason", ""), _negated=True),
                        ("original__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="titre_correction_names_original",
                violation_error_message="Une annulation ou une réduction nomme son titre et son motif.",
            ),
        ),
        migrations.AddConstraint(
            model_name="titre",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "titre"), ("replaces__isnull", True), _connector="OR"),
                name="titre_alone_replaces",
                violation_error_message="Seul un titre en remplace un autre.",
            ),
        ),
        migrations.AddField(
            model_name="payment",
            name="source",
            field=models.ForeignKey(
                blank=True,
                help_text="Le fichier du comptable qui le dit ; vide s'il a été saisi.",
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="entsvc.importrecord",
                verbose_name="fichier",
            ),
        ),
        migrations.AddField(
            model_name="decideddeduction",
            name="subsidy",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="deduction",
                to="invoicing.subsidy",
                verbose_name="subvention",
            ),
        ),
    ]
