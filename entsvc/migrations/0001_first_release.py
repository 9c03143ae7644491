"""Every table of this room, made at once: the state that the migrations it replaces lead to."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models
from entsvc.new_tables import CreateModels


class Migration(migrations.Migration):

    replaces = [('entsvc', '0001_initial'), ('entsvc', '0002_imports'), ('entsvc', '0003_outgoing_mail'), ('entsvc', '0004_chained_journal'), ('entsvc', '0005_long_work')]

    initial = True

    dependencies = [
    ]

    operations = [CreateModels([
        migrations.CreateModel(
            name='JournalEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='date')),
                ('actor', models.CharField(max_length=254, verbose_name='auteur')),
                ('action', models.SlugField(verbose_name='action')),
                ('target', models.CharField(db_index=True, max_length=100, verbose_name='objet')),
                ('summary', models.CharField(max_length=300, verbose_name='résumé')),
                ('data', models.JSONField(blank=True, default=dict, verbose_name='données')),
            ],
            options={
                'verbose_name': 'événement du journal',
                'verbose_name_plural': 'journal',
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='StoredDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64, unique=True, verbose_name='empreinte SHA-256')),
                ('path', models.CharField(max_length=200, unique=True, verbose_name='emplacement')),
                ('size', models.PositiveIntegerField(verbose_name='taille (octets)')),
                ('content_type', models.CharField(max_length=100, verbose_name='type')),
                ('stored_at', models.DateTimeField(auto_now_add=True, verbose_name='conservé le')),
            ],
            options={
                'verbose_name': 'document conservé',
                'verbose_name_plural': 'documents conservés',
                'ordering': ['-stored_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('importer', models.SlugField(max_length=30, verbose_name='import')),
                ('file_name', models.CharField(max_length=200, verbose_name='fichier')),
                ('options', models.JSONField(blank=True, default=dict, verbose_name='options')),
                ('actor', models.CharField(max_length=150, verbose_name='auteur')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='date')),
                ('report', models.JSONField(verbose_name='compte rendu')),
                ('path', models.CharField(max_length=200, unique=True, verbose_name='emplacement')),
                ('sha256', models.CharField(max_length=64, verbose_name='empreinte SHA-256')),
                ('size', models.PositiveIntegerField(verbose_name='taille (octets)')),
            ],
            options={
                'verbose_name': 'fichier à confirmer',
                'verbose_name_plural': 'fichiers à confirmer',
                'ordering': ['-at', '-pk'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('work', models.SlugField(max_length=20, verbose_name='travail')),
                ('key', models.UUIDField(verbose_name='pièce')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='dernier essai')),
                ('tries', models.PositiveSmallIntegerField(default=1, verbose_name='essais')),
                ('held_until', models.DateTimeField(blank=True, null=True, verbose_name="en cours jusqu'à")),
                ('failure', models.CharField(blank=True, max_length=300, verbose_name='échec')),
            ],
            options={
                'verbose_name': 'essai',
                'ordering': ['work', 'key'],
                'constraints': [models.UniqueConstraint(fields=('work', 'key'), name='attempt_once'), models.CheckConstraint(condition=models.Q(('failure', ''), ('held_until__isnull', True), _connector='OR'), name='attempt_under_way_or_failed')],
            },
        ),
        migrations.CreateModel(
            name='DatedFigure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(help_text="Code de l'émetteur, ou régime (ETAT, LOCAL) pour tous ceux qui en relèvent.", max_length=20, verbose_name='portée')),
                ('code', models.SlugField(verbose_name='code')),
                ('applies_to', models.SlugField(blank=True, help_text='Type de débiteur ; vide pour tous.', max_length=20, verbose_name='concerne')),
                ('valid_from', models.DateField(verbose_name='en vigueur à partir du')),
                ('value', models.DecimalField(decimal_places=2, max_digits=12, verbose_name='valeur')),
                ('unit', models.CharField(help_text='€, jours, mois, ans…', max_length=20, verbose_name='unité')),
                ('source', models.CharField(help_text='Article ou texte de référence.', max_length=200, verbose_name='fondement')),
            ],
            options={
                'verbose_name': 'chiffre légal daté',
                'verbose_name_plural': 'chiffres légaux datés',
                'ordering': ['scope', 'code', 'applies_to', '-valid_from'],
                'constraints': [models.UniqueConstraint(fields=('scope', 'code', 'applies_to', 'valid_from'), name='dated_figure_once_per_day', violation_error_message='Ce chiffre a déjà une valeur à cette date.'), models.CheckConstraint(condition=models.Q(('value__gte', 0)), name='dated_figure_not_negative', violation_error_message="Un chiffre légal n'est pas négatif.")],
            },
        ),
        migrations.CreateModel(
            name='DatedText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(help_text="Code de l'émetteur, ou régime (ETAT, LOCAL) pour tous ceux qui en relèvent.", max_length=20, verbose_name='portée')),
                ('code', models.SlugField(verbose_name='code')),
                ('valid_from', models.DateField(verbose_name='en vigueur à partir du')),
                ('body', models.TextField(verbose_name='texte')),
                ('source', models.CharField(blank=True, help_text='Article ou texte officiel de référence.', max_length=200, verbose_name='fondement')),
            ],
            options={
                'verbose_name': 'texte légal daté',
                'verbose_name_plural': 'textes légaux datés',
                'ordering': ['scope', 'code', '-valid_from'],
                'constraints': [models.UniqueConstraint(fields=('scope', 'code', 'valid_from'), name='dated_text_once_per_day', violation_error_message='Ce texte a déjà une version à cette date.')],
            },
        ),
        migrations.CreateModel(
            name='JournalLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.RESTRICT, related_name='link', to='entsvc.journalentry', verbose_name='événement')),
                ('number', models.PositiveBigIntegerField(unique=True, verbose_name='rang')),
                ('previous', models.CharField(blank=True, max_length=64, verbose_name='empreinte précédente')),
                ('sha256', models.CharField(max_length=64, unique=True, verbose_name='empreinte')),
            ],
            options={
                'verbose_name': 'maillon du journal',
                'verbose_name_plural': 'maillons du journal',
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='OutgoingMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('recipient', models.EmailField(max_length=254, verbose_name='destinataire')),
                ('template', models.SlugField(verbose_name='modèle')),
                ('subject', models.CharField(max_length=200, verbose_name='objet')),
                ('text', models.TextField(blank=True, verbose_name='texte')),
                ('html', models.TextField(blank=True, verbose_name='texte en HTML')),
                ('posted_at', models.DateTimeField(auto_now_add=True, verbose_name='écrit le')),
                ('state', models.CharField(choices=[('attente', 'À envoyer'), ('envoi', "En cours d'envoi"), ('envoye', 'Envoyé'), ('echec', 'Abandonné')], default='attente', max_length=7, verbose_name='état')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='essais')),
                ('due_at', models.DateTimeField(auto_now_add=True, verbose_name='prochain essai le')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='envoyé le')),
                ('error', models.CharField(blank=True, max_length=300, verbose_name='dernière erreur')),
                ('useful_until', models.DateTimeField(blank=True, help_text="Passée cette heure il n'est plus envoyé. Son texte, secret, est effacé ensuite.", null=True, verbose_name="utile jusqu'au")),
            ],
            options={
                'verbose_name': 'courriel',
                'ordering': ['-pk'],
                'indexes': [models.Index(fields=['state', 'due_at'], name='mail_to_send')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('sent_at__isnull', False), ('state', 'envoye')), models.Q(models.Q(('state', 'envoye'), _negated=True), ('sent_at__isnull', True)), _connector='OR'), name='mail_sent_has_its_time', violation_error_message='Un courriel envoyé dit quand, et lui seul.')],
            },
        ),
        migrations.CreateModel(
            name='ImportRecord',
            fields=[
                ('importer', models.SlugField(max_length=30, verbose_name='import')),
                ('file_name', models.CharField(max_length=200, verbose_name='fichier')),
                ('options', models.JSONField(blank=True, default=dict, verbose_name='options')),
                ('actor', models.CharField(max_length=150, verbose_name='auteur')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='date')),
                ('report', models.JSONField(verbose_name='compte rendu')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, to='entsvc.storeddocument', verbose_name='contenu')),
            ],
            options={
                'verbose_name': 'import',
                'ordering': ['-at', '-pk'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Work',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.SlugField(max_length=30, verbose_name='nature')),
                ('once', models.CharField(max_length=150, verbose_name='objet')),
                ('title', models.CharField(max_length=300, verbose_name='travail')),
                ('arguments', models.JSONField(default=dict, verbose_name='demande')),
                ('issuer', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='émetteur')),
                ('actor', models.CharField(max_length=150, verbose_name='auteur')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='demandé le')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='essais')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='commencé le')),
                ('held_until', models.DateTimeField(blank=True, null=True, verbose_name="en cours jusqu'à")),
                ('holder', models.UUIDField(blank=True, null=True, verbose_name='tenu par')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='terminé le')),
                ('failure', models.TextField(blank=True, verbose_name='échec')),
                ('told', models.CharField(blank=True, max_length=300, verbose_name='résultat')),
                ('page', models.CharField(blank=True, max_length=100, verbose_name='page')),
                ('page_key', models.CharField(blank=True, max_length=50, verbose_name='clé')),
                ('document', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='entsvc.storeddocument', verbose_name='contenu')),
                ('file_name', models.CharField(blank=True, max_length=200, verbose_name='fichier')),
            ],
            options={
                'verbose_name': 'travail',
                'verbose_name_plural': 'travaux',
                'ordering': ['-at', '-pk'],
                'indexes': [models.Index(fields=['-at'], name='work_latest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('finished_at__isnull', True)), fields=('kind', 'once'), name='work_asked_once'), models.CheckConstraint(condition=models.Q(('finished_at__isnull', False), models.Q(('document__isnull', True), ('failure', ''), ('told', '')), _connector='OR'), name='work_result_once_finished')],
            },
        ),
    ])]
