"""The template tags say what they promise, and fail loudly when they cannot."""

import re
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory
from lucide import IconDoesNotExist


def render(source, **context):
    return Template("{% load components figures %}" + source).render(Context(context))


def test_an_icon_is_hidden_from_screen_readers():
    html = render('{% icon "rocket" %}')

    assert html.startswith("<svg")
    assert 'class="icon"' in html
    assert 'aria-hidden="true"' in html


def test_an_unknown_icon_is_an_error():
    with pytest.raises(IconDoesNotExist):
        render('{% icon "no-such-icon" %}')


def test_a_badge_takes_its_words_from_the_state():
    state = SimpleNamespace(tone="busy", icon="loader", label="Pulling <image>")
    html = render("{% badge state %}", state=state)

    assert 'data-tone="busy"' in html
    assert "icon-spin" in html
    assert "Pulling &lt;image&gt;" in html


def test_an_unknown_tone_is_an_error():
    with pytest.raises(KeyError):
        render('{% badge tone="purple" label="x" %}')


def test_a_card_is_named_by_its_heading():
    html = render('{% card "This rollout" note="Last minute" %}<p>{{ text }}</p>{% endcard %}', text="<b>")

    assert 'aria-labelledby="this-rollout-title"' in html
    assert '<h2 id="this-rollout-title">This rollout</h2>' in html
    assert "<p>&lt;b&gt;</p>" in html


def test_a_dialog_posts_with_the_token_of_the_page():
    html = render(
        '{% dialog "delete" title action="/x/" submit="Delete deployment" %}{% enddialog %}',
        title="Delete <x>?",
        csrf_token="t0ken",
    )

    assert 'method="post"' in html
    assert 'name="csrfmiddlewaretoken" value="t0ken"' in html
    assert "Delete &lt;x&gt;?" in html


def test_crumbs_end_with_this_page():
    html = render('{% crumbs "Deployments" "/deployments/" "llama" %}')

    assert '<a href="/deployments/">Deployments</a>' in html
    assert '<li aria-current="page">llama</li>' in html


def test_crumbs_without_this_page_are_an_error():
    with pytest.raises(TemplateSyntaxError):
        render('{% crumbs "Deployments" "/deployments/" %}')


@pytest.mark.parametrize(
    ("address", "query", "direction"),
    [
        ("/?sort=name&page=3&engine=vllm", "?sort=-name&amp;engine=vllm", "ascending"),
        ("/?sort=-name", "?sort=name", "descending"),
        ("/?sort=gpus", "?sort=name", ""),
    ],
)
def test_a_column_head_sorts_the_other_way_and_keeps_the_filters(address, query, direction):
    html = render('{% sort_head "name" "Deployment" %}', request=RequestFactory().get(address))

    assert f'href="{query}"' in html
    assert re.findall(r'aria-sort="(\w+)"', html) == ([direction] if direction else [])


@pytest.mark.parametrize(
    ("elapsed", "expected", "width"), [(2, 2, "40"), (38, 40, "38"), (554, 101, "100"), (30, None, "40")]
)
def test_a_phase_is_drawn_against_the_expected_mark(elapsed, expected, width):
    phase = {
        "label": "Pulling image",
        "tone": "bad",
        "elapsed": timedelta(seconds=elapsed),
        "expected": expected and timedelta(seconds=expected),
    }
    html = render('{% include "components/phases.html" %}', phases=[phase])

    assert [Decimal(found) for found in re.findall(r'<rect width="([\d.]+)%"', html)] == [Decimal(width)]
    assert ('class="expected"' in html) is bool(expected)


def test_a_phase_that_has_not_begun_has_no_fill():
    html = render(
        '{% include "components/phases.html" %}',
        phases=[{"label": "Serving", "tone": "idle", "elapsed": None, "expected": timedelta(minutes=1)}],
    )

    assert "Not started" in html
    assert "<rect width" not in html


def test_berths_draw_one_square_per_gpu_in_rows_of_eight():
    html = render("{% berths nodes %}", nodes=[{"name": "gpu-01", "used": 7, "mine": 1, "free": 2}])

    assert 'aria-label="gpu-01: 7 used, 1 for this deployment, 2 free"' in html
    assert html.count("<rect") == 10
    assert html.count('y="19.5"') == 2


def test_a_diff_keeps_the_documents_own_dashes():
    text = "--- before\n+++ after\n@@ -1 +1 @@\n----\n-- item\n+- thing\n same"

    assert re.findall(r"<(del|ins)>(.*?)</", render('{% include "components/diff.html" %}', text=text)) == [
        ("del", "----"),
        ("del", "-- item"),
        ("ins", "+- thing"),
    ]


def test_log_lines_are_text():
    html = render(
        '{% include "components/log.html" with label="Log" %}', lines=[{"text": "<script>", "tone": "bad"}]
    )

    assert "<script>" not in html
    assert 'data-tone="bad"' in html


def test_a_missing_moment_is_a_dash():
    assert render("{% when none %} {% ago none %}", none=None) == "– –"
