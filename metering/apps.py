from django.apps import AppConfig


class MeteringConfig(AppConfig):
    name = "metering"
    verbose_name = "Metering"

    def ready(self) -> None:
        from deployments import dependents
        from metering.dependents import sentences
        from metering.own_limits import own_limits

        dependents.register(sentences)
        dependents.register_limits(own_limits)
