"""An open list asks again: often while something moves, and for nothing when nothing changed."""

import re

from django.test import Client

from deployments import desired
from deployments.vocabulary import Phase, Sharing
from tests.deployments.pages import world

HTMX = {"HX-Request": "true"}


def version(page: str) -> str:
    found = re.search(r"X-Seen&quot;: &quot;([^&]+)|\"X-Seen\": \"([^\"]+)\"", page)
    assert found
    return found[1] or found[2]


def test_it_asks_often_only_while_something_moves(web: Client) -> None:
    made = world.deployment(phase=Phase.PULLING)
    assert 'hx-trigger="every 3s"' in web.get("/deployments/").content.decode()
    world.see(made, Phase.SERVING)
    assert 'hx-trigger="every 10s"' in web.get("/deployments/").content.decode()


def test_nothing_new_is_an_empty_answer(web: Client, django_assert_max_num_queries) -> None:
    made = world.deployment()
    seen = version(web.get("/deployments/").content.decode())
    world.see(made, Phase.SERVING)  # looked at again, and as it was
    with django_assert_max_num_queries(4):
        answer = web.get("/deployments/", headers={**HTMX, "X-Seen": seen})
    assert (answer.status_code, answer.content) == (204, b"")


def test_every_change_that_shows_is_a_new_answer(web: Client, ada) -> None:
    made = world.deployment()
    seen = {version(web.get("/deployments/").content.decode())}
    changes = [
        lambda: world.see(made, Phase.DEGRADED, sentence="One is gone."),
        lambda: world.see(made, Phase.DEGRADED, sentence="Two are gone."),
        lambda: world.see(made, Phase.DEGRADED, ready=0),
        lambda: world.see(made, Phase.SERVING, seen=world.ago(seconds=90)),
        lambda: desired.stop(made, author=ada),
    ]
    for number, change in enumerate(changes, start=2):
        change()
        seen.add(version(web.get("/deployments/").content.decode()))
        assert len(seen) == number


def test_a_fragment_brings_the_counts_along_and_no_frame(web: Client) -> None:
    world.deployment()
    part = web.get("/deployments/", headers={**HTMX, "X-Seen": "old"}).content.decode()
    assert "<html" not in part
    assert 'id="segments"' in part
    assert 'id="summary" hx-swap-oob="true"' in part


def test_a_filter_moves_the_address_and_a_poll_does_not(web: Client) -> None:
    world.deployment(sharing=world.shared(Sharing.ALL))
    filtered = web.get("/deployments/?q=chat&engine=&endpoint=", headers=HTMX)
    assert filtered.headers["HX-Push-Url"] == "/deployments/?q=chat"
    assert "HX-Push-Url" not in web.get("/deployments/?q=chat", headers={**HTMX, "X-Seen": "old"}).headers


def test_going_back_brings_the_whole_page(web: Client) -> None:
    world.deployment()
    page = web.get("/deployments/", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in page.content.decode()
