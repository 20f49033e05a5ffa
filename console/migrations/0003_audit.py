"""The audit, and what Django cannot say of it: the database itself keeps entries as they are, whoever asks.

Entries are appended at the head only, and never changed. Deleted they are from the beginning only, up to the anchor;
and the anchor moves on to an entry that is there and older than thirty days, whatever the settings say.
"""

import django.utils.timezone
from django.db import migrations, models

_KEPT = """
CREATE FUNCTION slipway_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'console_auditentry' THEN
        IF OLD.number <= (SELECT anchor_number FROM console_audithead) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION slipway_audit_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM console_audithead WHERE NEW.number = number + 1 AND NEW.previous = digest) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'entry % does not follow the head of the audit', NEW.number USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION slipway_audit_moved_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.number, NEW.digest) IS DISTINCT FROM (OLD.number, OLD.digest) AND NOT EXISTS (
        SELECT FROM console_auditentry
        WHERE number = NEW.number AND digest = NEW.digest AND number = OLD.number + 1
    ) THEN
        RAISE EXCEPTION 'the head of the audit moves on by one entry' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.anchor_number, NEW.anchor_digest) IS DISTINCT FROM (OLD.anchor_number, OLD.anchor_digest) AND NOT EXISTS (
        SELECT FROM console_auditentry
        WHERE number = NEW.anchor_number AND digest = NEW.anchor_digest AND number > OLD.anchor_number
            AND at < now() - interval '30 days'
    ) THEN
        RAISE EXCEPTION 'the audit is pruned up to an old entry' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER appended BEFORE INSERT ON console_auditentry
    FOR EACH ROW EXECUTE FUNCTION slipway_audit_appended();
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON console_auditentry
    FOR EACH ROW EXECUTE FUNCTION slipway_audit_kept();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON console_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION slipway_audit_kept();
CREATE TRIGGER moved_on BEFORE UPDATE ON console_audithead
    FOR EACH ROW EXECUTE FUNCTION slipway_audit_moved_on();
CREATE TRIGGER kept BEFORE DELETE ON console_audithead
    FOR EACH ROW EXECUTE FUNCTION slipway_audit_kept();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON console_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION slipway_audit_kept();
"""
_LET_GO = """
DROP TRIGGER appended ON console_auditentry;
DROP TRIGGER kept ON console_auditentry;
DROP TRIGGER never_truncated ON console_auditentry;
DROP TRIGGER moved_on ON console_audithead;
DROP TRIGGER kept ON console_audithead;
DROP TRIGGER never_truncated ON console_audithead;
DROP FUNCTION slipway_audit_kept();
DROP FUNCTION slipway_audit_appended();
DROP FUNCTION slipway_audit_moved_on();
"""
_GENESIS = "INSERT INTO console_audithead VALUES (1, 0, repeat('0', 64), 0, repeat('0', 64), NULL, 0, '');"
# Words and their beginnings, of everything that a person may remember of an entry.
_SEARCHED = """
CREATE FUNCTION slipway_audit_words(VARIADIC parts text[]) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple', regexp_replace(array_to_string(parts, ' '), '[^[:alnum:]]+', ' ', 'g'))
$$;
CREATE INDEX audit_words ON console_auditentry
    USING gin (slipway_audit_words(action, actor, object_name, organization, address, request_id, changes::text));
"""
_FORGOTTEN = "DROP INDEX audit_words; DROP FUNCTION slipway_audit_words(text[]);"


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0002_cache_table"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "default_permissions": (),
                "permissions": [
                    ("view_platform", "See the console"),
                    ("manage_catalog", "Change providers and models"),
                    ("manage_clusters", "Change clusters and endpoints"),
                    ("manage_deployments", "Deploy, change, stop and delete"),
                    ("share_deployments", "Share deployments with organisations"),
                    ("manage_prices", "Set prices and limits"),
                    ("manage_organizations", "Change organisations and people"),
                    ("view_usage", "See usage and cost of everyone"),
                    ("view_audit", "See who changed what"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("action", models.CharField(max_length=60)),
                ("refused", models.BooleanField(default=False)),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("person", "person"),
                            ("program", "program"),
                            ("access_key", "access_key"),
                            ("nobody", "nobody"),
                        ],
                        max_length=12,
                    ),
                ),
                ("actor_id", models.BigIntegerField(null=True)),
                ("actor", models.CharField(max_length=254)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("object_kind", models.CharField(blank=True, max_length=40)),
                ("object_id", models.CharField(blank=True, max_length=64)),
                ("object_name", models.CharField(blank=True, max_length=254)),
                ("organization_id", models.BigIntegerField(null=True)),
                ("organization", models.CharField(blank=True, max_length=63)),
                ("changes", models.JSONField(default=dict)),
                ("previous", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64)),
            ],
            options={
                "ordering": ["-number"],
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["at"], name="audit_at"),
                    models.Index(fields=["action", "number"], name="audit_action"),
                    models.Index(fields=["actor", "number"], name="audit_actor"),
                    models.Index(fields=["object_kind", "object_name", "number"], name="audit_object"),
                    models.Index(fields=["organization", "number"], name="audit_organization"),
                    models.Index(fields=["address", "number"], name="audit_address"),
                    models.Index(condition=models.Q(("refused", True)), fields=["at"], name="audit_refusals"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(default=0)),
                (
                    "digest",
                    models.CharField(
                        default="0000000000000000000000000000000000000000000000000000000000000000",
                        max_length=64,
                    ),
                ),
                ("anchor_number", models.BigIntegerField(default=0)),
                (
                    "anchor_digest",
                    models.CharField(
                        default="0000000000000000000000000000000000000000000000000000000000000000",
                        max_length=64,
                    ),
                ),
                ("verified_at", models.DateTimeField(null=True)),
                ("verified_number", models.BigIntegerField(default=0)),
                ("finding", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="audit_has_one_head")
                ],
            },
        ),
        migrations.RunSQL(_GENESIS, migrations.RunSQL.noop),
        migrations.RunSQL(_KEPT, _LET_GO),
        migrations.RunSQL(_SEARCHED, _FORGOTTEN),
    ]
