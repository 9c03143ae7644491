from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entsvc", "0001_first_release")]

    operations = [
        migrations.AddField(
            model_name="work",
            name="path",
            field=models.CharField(blank=True, max_length=200, verbose_name="emplacement"),
        ),
    ]
