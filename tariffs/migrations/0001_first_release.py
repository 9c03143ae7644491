"""Every table of this room, made at once: the state that the migrations it replaces lead to."""

import django.core.validators
import django.db.models.deletion
import entsvc.fields
import simple_history.models
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models
from entsvc.new_tables import CreateModels


class Migration(migrations.Migration):

    replaces = [('tariffs', '0001_initial'), ('tariffs', '0002_histories'), ('tariffs', '0003_first_histories')]

    initial = True

    dependencies = [
        ('members', '0002_first_release'),
    ]

    operations = [CreateModels([
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('issuer', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='members.issuer', verbose_name='émetteur')),
                ('code', models.SlugField(max_length=30, unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=200, verbose_name='intitulé')),
                ('subject', models.CharField(help_text="Complété par l'année scolaire, par exemple : Participation à l'ENT-École.", max_length=160, verbose_name='objet des titres')),
                ('vat', models.CharField(default='Hors du champ de la TVA', max_length=150, verbose_name='mention de TVA')),
                ('programme', models.CharField(blank=True, max_length=50, verbose_name='programme ou fonds de concours')),
                ('account', models.CharField(blank=True, max_length=12, verbose_name='compte ou nature')),
                ('function_code', models.CharField(blank=True, max_length=10, verbose_name='fonction')),
                ('local_product', models.CharField(blank=True, max_length=4, verbose_name='code produit local')),
                ('note', models.TextField(blank=True, help_text='Décisions prises où les textes se taisent.', verbose_name='notes')),
            ],
            options={
                'verbose_name': 'barème',
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='Version',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('schedule', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, to='tariffs.schedule', verbose_name='barème')),
                ('label', models.CharField(max_length=100, verbose_name='version')),
                ('note', models.TextField(blank=True, verbose_name='notes')),
            ],
            options={
                'verbose_name': 'version de tarif',
                'verbose_name_plural': 'versions de tarif',
                'ordering': ['schedule', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('schedule', 'label'), name='version_label_once', violation_error_message='Ce barème a déjà une version de ce nom.')],
            },
        ),
        migrations.CreateModel(
            name='Charge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='charges', to='tariffs.version', verbose_name='version')),
                ('code', models.SlugField(max_length=20, verbose_name='code')),
                ('label', models.CharField(max_length=150, verbose_name='libellé')),
                ('unit_label', models.CharField(help_text="Au singulier, comme elle s'écrit sur le titre : école.", max_length=50, verbose_name='unité')),
                ('unit_plural', models.CharField(max_length=50, verbose_name='unité au pluriel')),
                ('position', models.PositiveSmallIntegerField(default=1, verbose_name='ordre')),
                ('metric', models.CharField(choices=[('pupils', 'Élèves'), ('active_pupils', 'Élèves actifs au-delà du seuil'), ('schools', 'Écoles'), ('units', 'Unités commandées ou livrées')], max_length=13, verbose_name='métrique')),
                ('model', models.CharField(choices=[('unit', 'Prix unitaire × quantité'), ('banded', 'Prix de la tranche'), ('allocation', "Répartition d'une enveloppe")], default='unit', max_length=10, verbose_name='modèle')),
                ('unit_price', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0'), message='Un prix ne peut pas être négatif.')], verbose_name='prix unitaire TTC')),
                ('pool', entsvc.fields.MoneyField(blank=True, help_text='Fixée par le tarif ; laissez vide quand elle est saisie chaque année.', null=True, validators=[django.core.validators.MinValueValidator(Decimal('0'), message='Un prix ne peut pas être négatif.')], verbose_name='enveloppe à répartir')),
                ('degree', models.CharField(blank=True, choices=[('premier', 'Premier degré'), ('college', 'Collège'), ('lycee', 'Lycée'), ('autre', 'Autre')], max_length=8, verbose_name='degré')),
                ('sector', models.CharField(blank=True, choices=[('public', 'Public'), ('prive', 'Privé')], max_length=6, verbose_name='secteur')),
                ('subscription', models.SlugField(blank=True, help_text='Seules les conventions qui ont souscrit ce code sont concernées.', max_length=20, verbose_name='option souscrite')),
                ('notice', models.CharField(blank=True, help_text='Affiché sur chaque calcul où cette ligne est facturée.', max_length=300, verbose_name='avis')),
                ('note', models.TextField(blank=True, verbose_name='notes')),
            ],
            options={
                'verbose_name': 'ligne tarifaire',
                'verbose_name_plural': 'lignes tarifaires',
                'ordering': ['version', 'position', 'code'],
                'constraints': [models.UniqueConstraint(fields=('version', 'code'), name='charge_code_once', violation_error_message='Cette version a déjà une ligne de ce code.'), models.CheckConstraint(condition=models.Q(('unit_price__isnull', True), ('unit_price__gte', 0), _connector='OR'), name='charge_price_positive', violation_error_message='Un prix ne peut pas être négatif.'), models.CheckConstraint(condition=models.Q(('pool__isnull', True), ('pool__gte', 0), _connector='OR'), name='charge_pool_positive', violation_error_message='Une enveloppe ne peut pas être négative.'), models.CheckConstraint(condition=models.Q(models.Q(('model', 'unit'), ('unit_price__isnull', False)), models.Q(models.Q(('model', 'unit'), _negated=True), ('unit_price__isnull', True)), _connector='OR'), name='charge_unit_price_for_unit', violation_error_message='Le prix unitaire va avec le modèle « prix unitaire ».'), models.CheckConstraint(condition=models.Q(('model', 'allocation'), ('pool__isnull', True), _connector='OR'), name='charge_pool_for_allocation', violation_error_message="L'enveloppe va avec le modèle « répartition ».")],
            },
        ),
        migrations.CreateModel(
            name='HistoricalBand',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('lower', models.PositiveIntegerField(verbose_name='de')),
                ('upper', models.PositiveIntegerField(verbose_name='à (compris)')),
                ('price', entsvc.fields.MoneyField(validators=[django.core.validators.MinValueValidator(Decimal('0'), message='Un prix ne peut pas être négatif.')], verbose_name='prix TTC')),
                ('note', models.CharField(blank=True, help_text="Affichée pour une école dont l'effectif est exactement la borne haute.", max_length=300, verbose_name='note de bord')),
                ('charge', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tariffs.charge', verbose_name='ligne tarifaire')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical tranche',
                'verbose_name_plural': 'historical tranches',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalSchedule',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('code', models.SlugField(max_length=30, verbose_name='code')),
                ('name', models.CharField(max_length=200, verbose_name='intitulé')),
                ('subject', models.CharField(help_text="Complété par l'année scolaire, par exemple : Participation à l'ENT-École.", max_length=160, verbose_name='objet des titres')),
                ('vat', models.CharField(default='Hors du champ de la TVA', max_length=150, verbose_name='mention de TVA')),
                ('programme', models.CharField(blank=True, max_length=50, verbose_name='programme ou fonds de concours')),
                ('account', models.CharField(blank=True, max_length=12, verbose_name='compte ou nature')),
                ('function_code', models.CharField(blank=True, max_length=10, verbose_name='fonction')),
                ('local_product', models.CharField(blank=True, max_length=4, verbose_name='code produit local')),
                ('note', models.TextField(blank=True, help_text='Décisions prises où les textes se taisent.', verbose_name='notes')),
                ('issuer', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='members.issuer', verbose_name='émetteur')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical barème',
                'verbose_name_plural': 'historical barèmes',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalVersion',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('label', models.CharField(max_length=100, verbose_name='version')),
                ('note', models.TextField(blank=True, verbose_name='notes')),
                ('schedule', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tariffs.schedule', verbose_name='barème')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical version de tarif',
                'verbose_name_plural': 'historical versions de tarif',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalCharge',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('code', models.SlugField(max_length=20, verbose_name='code')),
                ('label', models.CharField(max_length=150, verbose_name='libellé')),
                ('unit_label', models.CharField(help_text="Au singulier, comme elle s'écrit sur le titre : école.", max_length=50, verbose_name='unité')),
                ('unit_plural', models.CharField(max_length=50, verbose_name='unité au pluriel')),
                ('position', models.PositiveSmallIntegerField(default=1, verbose_name='ordre')),
                ('metric', models.CharField(choices=[('pupils', 'Élèves'), ('active_pupils', 'Élèves actifs au-delà du seuil'), ('schools', 'Écoles'), ('units', 'Unités commandées ou livrées')], max_length=13, verbose_name='métrique')),
                ('model', models.CharField(choices=[('unit', 'Prix unitaire × quantité'), ('banded', 'Prix de la tranche'), ('allocation', "Répartition d'une enveloppe")], default='unit', max_length=10, verbose_name='modèle')),
                ('unit_price', models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0'), message='Un prix ne peut pas être négatif.')], verbose_name='prix unitaire TTC')),
                ('pool', entsvc.fields.MoneyField(blank=True, help_text='Fixée par le tarif ; laissez vide quand elle est saisie chaque année.', null=True, validators=[django.core.validators.MinValueValidator(Decimal('0'), message='Un prix ne peut pas être négatif.')], verbose_name='enveloppe à répartir')),
                ('degree', models.CharField(blank=True, choices=[('premier', 'Premier degré'), ('college', 'Collège'), ('lycee', 'Lycée'), ('autre', 'Autre')], max_length=8, verbose_name='degré')),
                ('sector', models.CharField(blank=True, choices=[('public', 'Public'), ('prive', 'Privé')], max_length=6, verbose_name='secteur')),
                ('subscription', models.SlugField(blank=True, help_text='Seules les conventions qui ont souscrit ce code sont concernées.', max_length=20, verbose_name='option souscrite')),
                ('notice', models.CharField(blank=True, help_text='Affiché sur chaque calcul où cette ligne est facturée.', max_length=300, verbose_name='avis')),
                ('note', models.TextField(blank=True, verbose_name='notes')),
                ('version', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tariffs.version', verbose_name='version')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical ligne tarifaire',
                'verbose_name_plural': 'historical lignes tarifaires',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalAdoption',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('school_year', entsvc.fields.SchoolYearField(help_text='Écrite comme 2024-2025.', verbose_name='année scolaire')),
                ('schedule', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tariffs.schedule', verbose_name='barème')),
                ('version', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tariffs.version', verbose_name='version')),
                ('act', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='members.act', verbose_name='acte')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical adoption',
                'verbose_name_plural': 'historical adoptions',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Adoption',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('schedule', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, to='tariffs.schedule', verbose_name='barème')),
                ('school_year', entsvc.fields.SchoolYearField(help_text='Écrite comme 2024-2025.', verbose_name='année scolaire')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, to='tariffs.version', verbose_name='version')),
                ('act', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='members.act', verbose_name='acte')),
            ],
            options={
                'verbose_name': 'adoption',
                'ordering': ['schedule', '-school_year'],
                'constraints': [models.UniqueConstraint(fields=('schedule', 'school_year'), name='adoption_once_per_year', violation_error_message='Un tarif est déjà adopté pour cette année scolaire.')],
            },
        ),
        migrations.CreateModel(
            name='Band',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('charge', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bands', to='tariffs.charge', verbose_name='ligne tarifaire')),
                ('lower', models.PositiveIntegerField(verbose_name='de')),
                ('upper', models.PositiveIntegerField(verbose_name='à (compris)')),
                ('price', entsvc.fields.MoneyField(validators=[django.core.validators.MinValueValidator(Decimal('0'), message='Un prix ne peut pas être négatif.')], verbose_name='prix TTC')),
                ('note', models.CharField(blank=True, help_text="Affichée pour une école dont l'effectif est exactement la borne haute.", max_length=300, verbose_name='note de bord')),
            ],
            options={
                'verbose_name': 'tranche',
                'ordering': ['charge', 'lower'],
                'constraints': [models.CheckConstraint(condition=models.Q(('upper__gte', models.F('lower'))), name='band_in_order', violation_error_message='La fin de la tranche précède son début.'), models.CheckConstraint(condition=models.Q(('price__gte', 0)), name='band_price_positive', violation_error_message='Un prix ne peut pas être négatif.'), models.UniqueConstraint(fields=('charge', 'lower'), name='band_lower_once', violation_error_message='Deux tranches commencent au même effectif.')],
            },
        ),
    ])]
