"""Which volumes a deployment has is kept with what was seen, so that it can be told before they are deleted."""

from deployments.seen import VolumeStatus
from deployments.status import judge
from tests.deployments.status.build import NOW, claim, pod, seen


def test_each_volume_has_its_name_and_size_in_the_order_of_names() -> None:
    claims = [claim(i, "Bound", capacity={"storage": size}) for i, size in ((1, "120Gi"), (0, "100Gi"))]
    status = judge(seen(pod(ready=True), claims=claims), NOW)
    assert status.volumes == (
        VolumeStatus("data-md-chat-0", "100Gi"),
        VolumeStatus("data-md-chat-1", "120Gi"),
    )
    assert status.to_mapping()["volumes"][0] == {"name": "data-md-chat-0", "size": "100Gi"}


def test_another_size_is_something_new_to_tell() -> None:
    before, after = (
        judge(seen(claims=[claim(0, "Bound", capacity={"storage": size})]), NOW) for size in ("1Gi", "2Gi")
    )
    assert before.content != after.content
