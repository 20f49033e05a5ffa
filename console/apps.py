from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConsoleConfig(AppConfig):
    name = "console"
    verbose_name = "People"

    def ready(self) -> None:
        from console import checks  # noqa: F401  (registers the system checks)
        from console.access import sync_roles

        # Django creates permissions after migrations, so only then can the roles get theirs.
        post_migrate.connect(sync_roles, sender=self)
