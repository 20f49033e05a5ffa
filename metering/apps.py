from django.apps import AppConfig


class MeteringConfig(AppConfig):
    name = "metering"
    verbose_name = "Metering"

    def ready(self) -> None:
        from deployments import dependents
        from metering.dependents import sentences

        dependents.register(sentences)
