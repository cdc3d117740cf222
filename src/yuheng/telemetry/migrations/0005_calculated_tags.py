
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("telemetry", "0004_commands_and_gaps"),
    ]

    operations = [
        migrations.AddField(
            model_name="tag",
            name="formula",
            field=models.TextField(blank=True, default=""),
        ),
    ]
