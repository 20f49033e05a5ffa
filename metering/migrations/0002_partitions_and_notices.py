"""What Django cannot say: the ledger's partitions, what may never be changed, and the notices to the gateways.

The ledger is partitioned by month; partitions are made by the ledger as events come. Events and prices are append-only:
the database itself refuses to change or delete one, whoever asks.

A change of what gateways decide by is announced with NOTIFY when it is committed, whoever makes it; the payload says what
to read again: "keys" (API keys, people, organisations) or "routes" (deployments, shares, limits, prices, engines).
"""

from django.db import migrations

_PARTITIONED = """
ALTER TABLE metering_usageevent RENAME TO metering_usageevent_shape;
CREATE TABLE metering_usageevent (LIKE metering_usageevent_shape INCLUDING DEFAULTS) PARTITION BY RANGE (started_at);
DROP TABLE metering_usageevent_shape;
ALTER TABLE metering_usageevent ADD PRIMARY KEY (started_at, id);
CREATE INDEX usage_of_organization ON metering_usageevent (organization_id, started_at);
CREATE INDEX usage_of_deployment ON metering_usageevent (deployment_id, started_at);
"""

_APPEND_ONLY = """
CREATE FUNCTION slipway_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON metering_usageevent
    FOR EACH ROW EXECUTE FUNCTION slipway_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON deployments_price
    FOR EACH ROW EXECUTE FUNCTION slipway_append_only();
"""

_NOTICES = {
    "metering_apikey": (
        "keys",
        "organization_id, user_id, digest, all_deployments, expires_at, revoked_at",
    ),
    "metering_apikey_deployments": ("keys", ""),
    "console_user": ("keys", "is_active"),
    "console_membership": ("keys", ""),
    "console_organization": ("keys", ""),
    "deployments_deployment": ("routes", "name, model_id, endpoint_id, current_id, desired_state, sharing"),
    "deployments_share": ("routes", ""),
    "deployments_ratelimit": ("routes", ""),
    "deployments_price": ("routes", ""),
    "deployments_endpoint": ("routes", "hostname, namespace, routing, tls, tls_certificate"),
    "deployments_cluster": ("routes", "kind, reach"),
    "deployments_catalogmodel": ("routes", "slug, context_length"),
    "metering_limitoverride": ("routes", ""),
    "metering_limitmode": ("routes", ""),
}
_NOTIFY = """
CREATE FUNCTION slipway_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('slipway_gateway', TG_ARGV[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER slipway_gateway AFTER UPDATE OF upstreams ON deployments_observation
    FOR EACH ROW WHEN (OLD.upstreams IS DISTINCT FROM NEW.upstreams) EXECUTE FUNCTION slipway_notify('routes');
""" + "".join(
    f"CREATE TRIGGER slipway_gateway AFTER INSERT OR DELETE OR UPDATE {f'OF {columns}' if columns else ''} ON {table} "
    f"FOR EACH STATEMENT EXECUTE FUNCTION slipway_notify('{section}');\n"
    for table, (section, columns) in _NOTICES.items()
)
_SILENCE = "".join(
    f"DROP TRIGGER slipway_gateway ON {table};\n" for table in (*_NOTICES, "deployments_observation")
)


class Migration(migrations.Migration):
    dependencies = [("metering", "0001_keys_limits_and_ledger")]

    operations = [
        migrations.RunSQL(_PARTITIONED, migrations.RunSQL.noop),
        migrations.RunSQL(
            _APPEND_ONLY,
            "DROP TRIGGER append_only ON deployments_price; DROP TRIGGER append_only ON metering_usageevent; "
            "DROP FUNCTION slipway_append_only();",
        ),
        migrations.RunSQL(_NOTIFY, _SILENCE + "DROP FUNCTION slipway_notify();"),
    ]
