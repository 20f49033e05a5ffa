"""PUT of a document: the same as `manage.py apply`, with preconditions and a trial."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from console.access import Permission
from deployments import document
from deployments.models import Deployment, Revision
from tests.console.api.conftest import Caller, caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def wanted(name: str = "chat", **changes: Any) -> dict[str, Any]:
    world.model()
    world.endpoint()
    return document.to_mapping(world.spec(name, **changes))


def test_a_document_creates_and_then_changes_nothing(admin: Caller) -> None:
    body = wanted()
    made = admin("PUT", "/deployments/chat", body)
    assert (made.status_code, made.json()["result"], made["ETag"]) == (201, "created", '"1"')
    again = admin("PUT", "/deployments/chat", body)
    assert (again.status_code, again.json()["result"], again["ETag"]) == (200, "unchanged", '"1"')
    assert Revision.objects.count() == 1


def test_what_is_read_can_be_sent_back(admin: Caller) -> None:
    admin("PUT", "/deployments/chat", wanted())
    read = admin("GET", "/deployments/chat")
    assert admin("PUT", "/deployments/chat", read.json()["document"]).json()["result"] == "unchanged"


def test_yaml_is_taken_as_well(admin: Caller) -> None:
    wanted()
    text = document.write(world.spec("chat"))
    assert admin("PUT", "/deployments/chat", text).status_code == 201


def test_a_trial_says_what_would_be_and_saves_nothing(admin: Caller) -> None:
    body = wanted()
    told = admin("PUT", "/deployments/chat?dryRun=true", body)
    assert (told.status_code, told.json()["result"], told.json()["dry_run"]) == (200, "created", True)
    assert not Deployment.objects.exists()


def test_a_change_of_what_somebody_else_changed_is_refused(admin: Caller) -> None:
    body = wanted()
    admin("PUT", "/deployments/chat", body)
    body["spec"]["environment"] = [{"name": "A", "value": "1"}]
    assert admin("PUT", "/deployments/chat", body, if_match='"1"').json()["revision"] == 2
    body["spec"]["environment"] = [{"name": "A", "value": "2"}]
    problem(admin("PUT", "/deployments/chat", body, if_match='"1"'), 412)
    problem(admin("PUT", "/deployments/chat", body, if_none_match="*"), 412)
    assert Revision.objects.count() == 2
    problem(admin("PUT", "/deployments/none", {**body}, if_match="*"), 422)


def test_only_what_is_new_is_created_with_if_none_match(admin: Caller) -> None:
    assert admin("PUT", "/deployments/chat", wanted(), if_none_match="*").status_code == 201


def test_a_wrong_document_is_told_in_the_lines_of_the_command(admin: Caller, tmp_path: Path) -> None:
    body = wanted()
    body["spec"]["model"] = "none-of-ours"
    body["spec"]["colour"] = "green"
    file = tmp_path / "chat.yaml"
    import json

    file.write_text(json.dumps(body))
    printed = io.StringIO()
    with pytest.raises((SystemExit, Exception)):
        call_command("apply", str(file), stdout=printed, stderr=printed)
    said = problem(admin("PUT", "/deployments/chat", body), 422)
    assert said["type"] == "invalid-document"
    assert said["errors"]
    for each in said["errors"]:
        assert f"{each['path']}: {each['message']}" in printed.getvalue()
    assert not Deployment.objects.exists()


def test_the_name_is_that_of_the_address(admin: Caller) -> None:
    said = problem(admin("PUT", "/deployments/other", wanted()), 422)
    assert said["errors"][0]["path"] == "metadata.name"


def test_a_key_that_may_not_share_applies_no_sharing(valkey: Any) -> None:
    from deployments.vocabulary import Sharing

    world.organization("acme")
    who = caller(scopes=[Permission.DEPLOY])
    body = wanted(sharing=world.shared(Sharing.SELECTED, "acme"))
    said = problem(who("PUT", "/deployments/chat", body), 422)
    assert any("sharing" in each["path"] for each in said["errors"])
    assert not Deployment.objects.exists()
    assert who("PUT", "/deployments/chat", wanted()).status_code == 201


def test_stop_start_and_delete_are_wishes(admin: Caller) -> None:
    world.deployment("chat")
    assert admin("POST", "/deployments/chat/stop").status_code == 202
    assert Deployment.objects.get().desired_state == "stopped"
    assert admin("POST", "/deployments/chat/start").status_code == 202
    assert Deployment.objects.get().desired_state == "running"
    assert admin("DELETE", "/deployments/chat").status_code == 202
    assert Deployment.objects.get().desired_state == "deleted"
    problem(admin("POST", "/deployments/chat/restart"), 409)


def test_what_is_being_deleted_takes_no_other_wish(admin: Caller) -> None:
    world.deployment("chat")
    admin("DELETE", "/deployments/chat")
    for wish in ("stop", "start", "restart"):
        assert "being deleted" in problem(admin("POST", f"/deployments/chat/{wish}"), 409)["detail"]
    assert admin("DELETE", "/deployments/chat").status_code == 202


def test_only_the_revision_that_was_looked_at_is_deleted(admin: Caller) -> None:
    admin("PUT", "/deployments/chat", wanted())
    problem(admin("DELETE", "/deployments/chat", if_match='"7"'), 412)
    assert Deployment.objects.get().desired_state == "running"
    assert admin("DELETE", "/deployments/chat", if_match='"1"').status_code == 202
