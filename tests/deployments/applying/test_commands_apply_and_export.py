"""`manage.py apply` and `manage.py export`: idempotent, with exit codes that scripts can use."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deployments import document
from deployments.management.commands import apply
from deployments.models import Deployment, Observation
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, Phase
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place(db: None) -> None:
    world.model()
    world.endpoint()


@pytest.fixture
def write(tmp_path: Path):
    def save(spec: DeploymentSpec | str) -> str:
        path = tmp_path / "chat.yaml"
        path.write_text(spec if isinstance(spec, str) else document.write(spec))
        return str(path)

    return save


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("apply", *arguments, stdout=out)
    return out.getvalue()


def test_apply_creates_then_changes_nothing_then_revises(write) -> None:
    assert run(write(world.spec())) == "chat created (revision 1)\n"
    assert run(write(world.spec())) == "chat unchanged\n"
    assert run(write(world.spec(description="New"))) == (
        "chat changed (revision 2)\n  metadata.description: (none) → New\n"
    )


def test_what_export_prints_applies_as_a_no_op(write) -> None:
    world.deployment()
    out = io.StringIO()
    call_command("export", "chat", stdout=out)
    assert document.read(out.getvalue()) == world.spec()
    assert run(write(out.getvalue())) == "chat unchanged\n"
    assert Deployment.objects.get().current.number == 1


def test_export_of_nothing_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no deployment no-such"):
        call_command("export", "no-such")


def test_a_dry_run_goes_the_whole_way_and_takes_it_back(write) -> None:
    assert run(write(world.spec()), "--dry-run") == "chat would be created (revision 1)\n"
    assert not Deployment.objects.exists()
    world.deployment()
    assert "would be changed (revision 2)" in run(write(world.spec(description="New")), "--dry-run")
    assert Deployment.objects.get().current.number == 1


def test_an_invalid_document_is_exit_code_2_with_one_line_per_problem(write) -> None:
    broken = (
        document.write(world.spec()).replace("replicas: 1", "replicas: 0").replace("tag: v0.33.0", "tag: ''")
    )
    err = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("apply", write(broken), stderr=err)
    assert stopped.value.code == 2
    assert [line.partition(":")[0] for line in err.getvalue().splitlines()] == [
        "spec.engine.tag",
        "spec.engine.replicas",
    ]
    assert not Deployment.objects.exists()


def test_an_unknown_model_is_an_invalid_document(write) -> None:
    err = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("apply", write(world.spec(model="no-such")), stderr=err)
    assert stopped.value.code == 2
    assert err.getvalue().startswith("spec.model: ")


def test_standard_input_is_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(document.write(world.spec()).encode()))
    monkeypatch.setattr("sys.stdin", text)
    assert run("-") == "chat created (revision 1)\n"


def test_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="Cannot read"):
        run("/no/such/file.yaml")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch):
    """What is seen, one entry for each time that the command waits."""

    def plays(*scenes) -> None:
        queue = list(scenes)

        def next_scene(seconds: float) -> None:
            scene = queue.pop(0)
            scene(Deployment.objects.get())

        monkeypatch.setattr(apply, "sleep", next_scene)

    return plays


def seen(phase: Phase, sentence: str = "", revision: int = 1, **facts: object):
    return lambda deployment: world.see(deployment, phase, sentence=sentence, revision=revision, **facts)


def test_wait_follows_until_it_serves(write, cluster) -> None:
    cluster(seen(Phase.PULLING), seen(Phase.LOADING, "Loading."), seen(Phase.SERVING))
    out = run(write(world.spec()), "--wait")
    assert [line[9:] for line in out.splitlines()[1:]] == [
        "Pulling image",
        "Loading weights: Loading.",
        "Serving",
    ]


def test_wait_ends_with_the_reason_when_it_fails(write, cluster) -> None:
    cluster(seen(Phase.FAILED, "No such tag.", remedy="Correct it."))
    with pytest.raises(CommandError, match=r"No such tag\. Correct it\.") as failed:
        run(write(world.spec()), "--wait")
    assert failed.value.returncode == 1


def test_wait_ends_with_a_refusal_of_the_cluster(write, cluster) -> None:
    def refuse(deployment: Deployment) -> None:
        refusal = {"code": "quota", "sentence": "Quota exceeded.", "remedy": "", "terminal": True}
        Deployment.objects.filter(pk=deployment.pk).update(refusal=refusal)

    cluster(refuse)
    with pytest.raises(CommandError, match="Quota exceeded"):
        run(write(world.spec()), "--wait")


def test_wait_does_not_believe_what_was_seen_of_the_revision_before(write, cluster) -> None:
    world.deployment(phase=Phase.FAILED, sentence="Old trouble.", ready=0)
    cluster(seen(Phase.FAILED, "Old trouble."), seen(Phase.SERVING, revision=2))
    assert "Old trouble" not in run(write(world.spec(description="Better")), "--wait")


def test_wait_for_what_serves_already_ends_at_once(write) -> None:
    world.deployment(phase=Phase.SERVING)
    assert run(write(world.spec()), "--wait").splitlines()[0] == "chat unchanged"


def test_wait_for_a_stopped_one_says_so(write) -> None:
    made = world.deployment(phase=Phase.STOPPED)
    assert made.desired_state == DesiredState.STOPPED
    with pytest.raises(CommandError, match="Start it"):
        run(write(world.spec()), "--wait")


def test_wait_gives_up_after_its_time(write) -> None:
    world.deployment(phase=Phase.LOADING, ready=0)
    Observation.objects.update(revision=1)
    with pytest.raises(CommandError, match="does not serve after 0 s"):
        run(write(world.spec()), "--wait", "--timeout", "0")
