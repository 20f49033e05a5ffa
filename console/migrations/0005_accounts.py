from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("console", "0003_audit")]
    operations = [
        migrations.AddField("user", "session_epoch", models.PositiveIntegerField(default=0, editable=False)),
    ]
