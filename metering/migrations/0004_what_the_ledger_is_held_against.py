"""What the ledger is held against: events by gateway, and since when limits are what they are. And two things that the
database itself sees to, whoever asks: limits cannot change without leaving the time, and no price begins in the past.
"""

from django.db import migrations, models
from django.db.models.functions import Now

_CHANGES = """
CREATE FUNCTION slipway_limit_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO metering_limitchange (deployment_id, at)
    VALUES (coalesce(NEW.deployment_id, OLD.deployment_id), clock_timestamp())
    ON CONFLICT (deployment_id) DO UPDATE SET at = excluded.at;
    RETURN NULL;
END $$;
"""
_LIMITS = ("deployments_ratelimit", "metering_limitoverride", "metering_limitmode")
_NOTED = _CHANGES + "".join(
    f"""
CREATE TRIGGER limit_came_or_went AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION slipway_limit_changed();
CREATE TRIGGER limit_changed AFTER UPDATE ON {table}
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION slipway_limit_changed();
"""
    for table in _LIMITS
)
_UNNOTED = (
    "".join(
        f"DROP TRIGGER limit_came_or_went ON {table}; DROP TRIGGER limit_changed ON {table};\n"
        for table in _LIMITS
    )
    + "DROP FUNCTION slipway_limit_changed();"
)

# A minute, because clocks differ a little. What is recorded already keeps its price in any case.
_NEVER_BACK_DATED = """
CREATE FUNCTION slipway_back_dated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a price cannot begin in the past, at %', NEW.effective_from USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER never_back_dated BEFORE INSERT ON deployments_price
    FOR EACH ROW WHEN (NEW.effective_from < now() - interval '1 minute') EXECUTE FUNCTION slipway_back_dated();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0003_engine_counter"),
        ("deployments", "0003_what_the_gateway_reads"),
    ]

    operations = [
        migrations.CreateModel(
            name="GatewayTally",
            fields=[
                ("gateway", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("events", models.BigIntegerField()),
                ("since", models.DateTimeField(db_default=Now())),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="LimitChange",
            fields=[
                ("deployment_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
            ],
            options={"default_permissions": ()},
        ),
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(
                condition=models.Q(("corrects__isnull", False)), fields=["corrects"], name="usage_corrections"
            ),
        ),
        migrations.RunSQL(_NOTED, _UNNOTED),
        migrations.RunSQL(
            _NEVER_BACK_DATED,
            "DROP TRIGGER never_back_dated ON deployments_price; DROP FUNCTION slipway_back_dated();",
        ),
    ]
