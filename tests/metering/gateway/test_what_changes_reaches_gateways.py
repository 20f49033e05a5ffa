"""E25, E6: what changes in the database reaches every gateway within a second; without one they go on as before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import openai
import pytest
import redis

from console.models import Membership, User
from console.organizations import changing
from deployments import desired
from deployments.models import Cluster, Deployment, Observation
from deployments.spec import Limit, RateLimits, SharingSpec
from deployments.vocabulary import ClusterKind, Sharing
from metering import issuing
from metering.models import ApiKey, LimitMode, LimitOverride
from tests.deployments.pages import world as pages
from tests.faults.postgres import database_url, socket_path
from tests.faults.proxy import Fault, fault_proxy
from tests.metering.gateway.engine import Engine
from tests.metering.gateway.world import GatewayProcess, error

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN = 1.0


class Town:
    """Two gateways on one database, and a tenant with a key."""

    def __init__(self, gateways: list[GatewayProcess], engine: Engine) -> None:
        self.gateways = gateways
        self.bob = pages.tenant("bob@acme.example", "acme")
        self.acme = self.bob.organizations.get()
        self.key, self.text = issuing.issue(user=self.bob, organization=self.acme, name="test", by=self.bob)
        self.deployment = pages.deployment("chat", sharing=SharingSpec(Sharing.SELECTED, ("acme",)))
        Cluster.objects.update(kind=ClusterKind.SANDBOX)
        Observation.objects.update(upstreams=[engine.url])

    def statuses(self, secret: str = "", model: str = "chat") -> list[int]:
        return [each.ask(secret=secret or self.text, model=model).status_code for each in self.gateways]

    def until(self, status: int, **facts: str) -> float:
        """Seconds until all gateways answer so; a second at most."""
        began = time.monotonic()
        while (found := self.statuses(**facts)) != [status] * len(self.gateways):
            assert time.monotonic() - began < WITHIN, found
            time.sleep(0.01)
        return time.monotonic() - began

    def save(self, **changes: Any) -> None:
        """What an administrator saves."""
        deployment = Deployment.objects.get(pk=self.deployment.pk)
        current = deployment.current
        assert current is not None
        desired.revise(deployment, replace(current.spec, **changes), author=None, expected=current.number)


@pytest.fixture
def town(tmp_path: Path, old_valkey: redis.Redis, engine: Engine) -> Iterator[Town]:
    settings = {"DATABASE_URL": database_url(), "GATEWAY_DRAIN_SECONDS": "0.1"}
    gateways = [GatewayProcess(tmp_path / name, environment=settings) for name in ("one", "two")]
    for gateway in gateways:
        gateway.start()
    made = Town(gateways, engine)
    deadline = time.monotonic() + 5  # the gateways may still be connecting
    while made.statuses() != [200, 200]:
        assert time.monotonic() < deadline, gateways[0].log
        time.sleep(0.02)
    yield made
    for gateway in gateways:
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.log


def test_a_new_key_works_and_a_revoked_one_does_not(town: Town) -> None:
    _, text = issuing.issue(user=town.bob, organization=town.acme, name="second", by=town.bob)
    town.until(200, secret=text)
    issuing.revoke(ApiKey.objects.get(name="second"), by=town.bob)
    town.until(401, secret=text)
    assert town.statuses() == [200, 200]


def test_a_suspended_organisation_is_told_so_and_works_again_when_it_is_resumed(town: Town) -> None:
    changing.suspend(town.acme, reason="Unpaid.", by=town.bob)
    assert town.until(403) < WITHIN
    answer = town.gateways[0].ask(secret=town.text)
    assert error(answer)["code"] == "organization_suspended"
    client = openai.OpenAI(base_url=f"{town.gateways[0].url}/v1", api_key=town.text, max_retries=0)
    with pytest.raises(openai.PermissionDeniedError, match="suspended"):
        client.models.list()
    changing.resume(town.acme)
    town.until(200)


def test_a_rotated_key_works_for_its_overlap(town: Town) -> None:
    _, text = issuing.rotate(town.key, overlap=timedelta(seconds=1.5), by=town.bob)
    town.until(200, secret=text)
    assert town.statuses() == [200, 200]
    time.sleep(1.5)
    assert town.statuses() == [401, 401]
    assert town.statuses(secret=text) == [200, 200]


def test_a_disabled_user_is_out(town: Town) -> None:
    User.objects.filter(pk=town.bob.pk).update(is_active=False)
    town.until(401)
    User.objects.filter(pk=town.bob.pk).update(is_active=True)
    town.until(200)


def test_who_leaves_an_organisation_leaves_its_keys(town: Town) -> None:
    Membership.objects.filter(user=town.bob).delete()
    town.until(401)


def test_an_unshared_deployment_is_not_there(town: Town) -> None:
    town.save(sharing=SharingSpec(Sharing.PRIVATE))
    town.until(404)
    town.save(sharing=SharingSpec(Sharing.ALL))
    town.until(200)


def test_a_key_for_chosen_deployments_opens_no_other(town: Town, engine: Engine) -> None:
    other = pages.deployment("other", sharing=SharingSpec(Sharing.ALL))
    Observation.objects.update(upstreams=[engine.url])
    town.until(200, model="other")
    _, text = issuing.issue(
        user=town.bob, organization=town.acme, name="one", by=town.bob, deployments=[town.deployment]
    )
    town.until(200, secret=text)
    assert town.statuses(secret=text, model=other.name) == [404, 404]


def test_limits_overrides_and_the_shadow_hold_from_then_on(town: Town) -> None:
    town.save(rate_limits=RateLimits(organization=Limit(None, 1)))
    town.until(429)
    override = LimitOverride.objects.create(
        deployment=town.deployment, organization=town.acme, scope="organization", requests_per_minute=10_000
    )
    town.until(200)
    override.delete()
    town.until(429)
    LimitMode.objects.create(deployment=town.deployment, shadow=True)
    town.until(200)


def test_a_stopped_deployment_says_that_it_is_switched_off(town: Town) -> None:
    desired.stop(town.deployment, author=None)
    town.until(503)
    assert "switched off" in error(town.gateways[0].ask(secret=town.text))["message"]


def test_engines_that_move_are_followed(town: Town, engine: Engine) -> None:
    Observation.objects.update(upstreams=[])
    town.until(503)
    Observation.objects.update(upstreams=[engine.url])
    town.until(200)


def test_all_of_it_goes_on_without_a_database(town: Town, engine: Engine, tmp_path: Path) -> None:
    """P16, E6: Postgres gone for gateways that run and for one that starts; what was revoked before stays revoked."""
    with fault_proxy(socket_path()) as proxy:
        environment = {"DATABASE_URL": database_url(proxy.port)}
        gateway = GatewayProcess(tmp_path / "alone", environment=environment).start()
        deadline = time.monotonic() + 5
        while gateway.ask(secret=town.text).status_code != 200:
            assert time.monotonic() < deadline
        _, old = issuing.issue(user=town.bob, organization=town.acme, name="old", by=town.bob)
        issuing.revoke(ApiKey.objects.get(name="old"), by=town.bob)
        time.sleep(0.3)
        for fault in (Fault.SWALLOW, Fault.REFUSE):
            proxy.set(fault)
            assert {gateway.ask(secret=town.text).status_code for _ in range(20)} == {200}
            assert gateway.ask(secret=old).status_code == 401
        assert gateway.stop() == 0
        gateway.start()  # from its own disk
        assert {gateway.ask(secret=town.text).status_code for _ in range(20)} == {200}
        assert gateway.ask(secret=old).status_code == 401
        proxy.set(Fault.PASS)
        issuing.revoke(town.key, by=town.bob)
        deadline = time.monotonic() + 8
        while gateway.ask(secret=town.text).status_code != 401:
            assert time.monotonic() < deadline, "it listens again"
            time.sleep(0.05)
        assert gateway.stop() == 0


def test_nothing_that_a_gateway_keeps_or_says_has_a_key_in_it(town: Town) -> None:
    """E24: the disk, the log, the metrics, Valkey."""
    town.gateways[0].ask(secret=town.text)
    secret = town.text[len("slipway_") + 8 :]
    for file in town.gateways[0].folder.iterdir():
        assert secret.encode() not in file.read_bytes(), file.name
    assert secret not in str(town.gateways[0].figures())


def test_the_official_client_does_its_usual_work(town: Town) -> None:
    client = openai.OpenAI(api_key=town.text, base_url=f"{town.gateways[0].url}/v1", max_retries=0)
    with client:
        assert [model.id for model in client.models.list()] == ["chat"]
        assert client.models.retrieve("chat").owned_by == "slipway"
        messages: Any = [{"role": "user", "content": "Hello there"}]
        answer = client.chat.completions.create(model="chat", messages=messages)
        assert answer.choices[0].message.content == " w0 w1 w2 w3 w4"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 5)
        options: Any = {"include_usage": True}
        stream = client.chat.completions.create(
            model="chat", messages=messages, stream=True, stream_options=options
        )
        *parts, last = list(stream)
        assert "".join(part.choices[0].delta.content or "" for part in parts) == " w0 w1 w2 w3 w4"
        assert last.usage is not None
        assert last.usage.completion_tokens == 5
        with pytest.raises(openai.NotFoundError) as nobody:
            client.chat.completions.create(model="nope", messages=messages)
        assert nobody.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="chat", messages=messages, n=0)
    with openai.OpenAI(api_key="slipway_wrong", base_url=f"{town.gateways[0].url}/v1") as stranger:
        with pytest.raises(openai.AuthenticationError) as unknown:
            stranger.models.list()
        assert "slipway_wrong" not in str(unknown.value)


def test_the_official_client_waits_as_long_as_it_is_told_and_then_succeeds(
    town: Town, old_valkey: redis.Redis
) -> None:
    """A limit of one a minute that was used 58.8 s ago: the client tries again by itself, once, at the right time."""
    town.save(rate_limits=RateLimits(api_key=Limit(None, 1)))
    gateway = town.gateways[0]
    deadline = time.monotonic() + WITHIN
    while "x-ratelimit-limit-requests" not in gateway.ask(secret=town.text).headers:
        assert time.monotonic() < deadline
    moments = f"{{{town.deployment.pk}}}:api_key:{town.key.pk}:r"
    (moment,) = old_valkey.lrange(moments, 0, -1)
    old_valkey.lset(moments, 0, str(int(moment) - 58_800))
    messages: Any = [{"role": "user", "content": "Hello"}]
    client = openai.OpenAI(api_key=town.text, base_url=f"{gateway.url}/v1", max_retries=1)
    began = time.monotonic()
    with client:
        assert client.chat.completions.create(model="chat", messages=messages).choices
    assert 0.6 < time.monotonic() - began < 2.5
    name = 'slipway_gateway_limit_decisions_total{decision="refused",scope="api_key",what="requests"}'
    assert gateway.figures()[name] == 1
