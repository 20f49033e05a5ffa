from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class ConsoleConfig(AppConfig):
    name = "console"
    verbose_name = "People"

    def ready(self) -> None:
        from console import checks  # noqa: F401  (registers the system checks)
        from console.access import sync_roles
        from console.audit import sign_ins

        sign_ins.connect()
        # Permissions are made after migrations, app by app. At auth's turn, which is after ours, ours are there.
        post_migrate.connect(sync_roles, sender=apps.get_app_config("auth"))


class RecordsConfig(AdminConfig):
    """Django admin with our own site."""

    default_site = "console.operating.OperatorSite"
