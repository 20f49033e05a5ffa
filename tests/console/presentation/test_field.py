"""A form field is one thing: label, control, help and error know each other, whatever the widget is."""

import re

import pytest
from django import forms
from django.template import Context, Template

from console.presentation.widgets import ChoiceCards


class ResourcesForm(forms.Form):
    name = forms.CharField(help_text="Lower-case letters.")
    memory = forms.IntegerField(label="Memory limit")
    engine = forms.ChoiceField(choices=[("vllm", "vLLM"), ("nim", "NIM")], required=False)
    gpu = forms.ChoiceField(
        choices=[("h100", "H100"), ("h200", "H200")],
        widget=ChoiceCards(
            facts={"h100": ["5 of 16 free"]}, tags={"h100": "Suggested"}, refused={"h200": "Not on osl-1"}
        ),
        help_text="Only the GPUs of osl-1.",
    )
    scale = forms.BooleanField(label="Autoscale", required=False, help_text="Off by default.")
    token = forms.CharField(widget=forms.PasswordInput, required=False)
    place = forms.CharField(widget=forms.HiddenInput)


def render(source, **context):
    return Template("{% load fields %}" + source).render(Context(context))


def described_by(html):
    return re.search(r'aria-describedby="([^"]+)"', html)[1].split()


@pytest.fixture
def refused():
    return ResourcesForm({"name": "", "memory": "many", "gpu": "h200"})


def test_the_control_points_at_its_help_and_then_at_its_error(refused):
    html = render("{% field form.name %}", form=refused)

    assert described_by(html) == ["id_name_helptext", "id_name_error"]
    assert all(f'id="{target}"' in html for target in described_by(html))
    assert 'aria-invalid="true"' in html


@pytest.mark.parametrize("name", [name for name in ResourcesForm.base_fields if name != "place"])
@pytest.mark.parametrize("bound", [False, True])
def test_every_reference_leads_to_an_element(name, bound, refused):
    form = refused if bound else ResourcesForm()
    html = render("{% field form_field %}", form_field=form[name])

    targets = re.findall(r' for="([^"]+)"', html) + [
        target for group in re.findall(r'aria-describedby="([^"]+)"', html) for target in group.split()
    ]
    assert targets
    for target in targets:
        assert html.count(f' id="{target}"') == 1


def test_no_help_means_no_description():
    assert "aria-describedby" not in render("{% field form.memory %}", form=ResourcesForm())


def test_a_unit_and_a_hint_of_the_page_stand_with_the_control():
    html = render('{% field form.memory unit="GiB" help="About 40 GiB." %}', form=ResourcesForm())

    assert "<span>GiB</span>" in html
    assert described_by(html) == ["id_memory_helptext"]
    assert "About 40 GiB." in html


def test_only_fields_that_may_stay_empty_are_marked_optional():
    form = ResourcesForm()

    assert "(optional)" in render("{% field form.engine %}", form=form)
    assert "(optional)" not in render("{% field form.name %}", form=form)
    assert "(optional)" not in render("{% field form.engine hide_optional=True %}", form=form)


def test_cards_show_facts_and_why_a_choice_is_refused():
    html = render("{% field form.gpu %}", form=ResourcesForm())

    assert "5 of 16 free" in html
    assert "Suggested" in html
    assert re.search(r'value="h200"[^>]* disabled[^>]*>.*Not on osl-1', html, re.DOTALL)
    assert described_by(html) == ["id_gpu_helptext"]


def test_a_secret_is_never_written_back():
    form = ResourcesForm({"token": "hf_verysecret"})
    html = render('{% field form.token stored="Saved 22 Nov by Alice Berg" %}', form=form)

    assert "hf_verysecret" not in html
    assert "Saved 22 Nov by Alice Berg. Leave it empty to keep it." in html


def test_what_was_typed_is_escaped():
    form = ResourcesForm({"name": '"><script>', "memory": "1"})

    assert "<script>" not in render("{% field form.name %}", form=form)


def test_the_summary_leads_to_each_field_with_a_problem(refused):
    html = render('{% include "components/form_errors.html" %}', form=refused)

    assert 'role="alert"' in html
    assert "3 settings need a change" in html
    assert re.findall(r'href="#([^"]+)"', html) == ["id_name", "id_memory"]
    # A hidden field cannot be reached, so its problem is told without a link.
    assert "<li>This field is required.</li>" in html


def test_a_form_without_problems_has_no_summary():
    assert render('{% include "components/form_errors.html" %}', form=ResourcesForm()).strip() == ""


def test_the_summary_of_a_group_leads_to_its_first_radio():
    form = ResourcesForm({"name": "a", "memory": "1", "place": "x"})

    assert 'href="#id_gpu_0"' in render('{% include "components/form_errors.html" %}', form=form)


def test_rows_of_a_formset_are_part_of_the_summary():
    rows = forms.formset_factory(ResourcesForm, extra=1)(
        {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-name": "a", "form-0-memory": "x"}
    )

    html = render('{% include "components/form_errors.html" with formset=rows %}', rows=rows)

    assert 'href="#id_form-0-memory"' in html
