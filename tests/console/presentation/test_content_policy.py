"""Templates and stylesheets stay within the content policy and the palette: nothing inline, only named colours."""

import re
from pathlib import Path

import pytest
from django.template.loader import get_template
from django.template.loader_tags import ExtendsNode

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STYLESHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))


def named(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def markup(path):
    """The template without its comments."""
    text = re.sub(
        r"\{% comment .*?\{% endcomment %\}|\{% comment %\}.*?\{% endcomment %\}",
        "",
        path.read_text(),
        flags=re.DOTALL,
    )
    return re.sub(r"\{#.*?#\}", "", text)


@pytest.mark.parametrize("path", named(TEMPLATES))
def test_a_template_compiles_with_its_parents(path):
    name = str(path.relative_to(ROOT / "templates"))
    while name:
        parents = get_template(name).template.nodelist.get_nodes_by_type(ExtendsNode)
        name = parents[0].parent_name.var if parents else ""


@pytest.mark.parametrize("path", named(TEMPLATES))
def test_a_template_has_nothing_inline(path):
    text = markup(path)

    assert not re.search(r"<style\b", text)
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"<[^>]*\son[a-z]+\s*=", text)
    assert not re.search(r"\shx-on\b|javascript:|hx-vals=[\"']js:", text)
    for attributes, content in re.findall(r"<script\b([^>]*)>(.*?)</script>", text, re.DOTALL):
        assert "src=" in attributes or 'type="application/json"' in attributes, attributes
        assert "src=" not in attributes or not content.strip()


@pytest.mark.parametrize("path", named(TEMPLATES))
def test_a_template_loads_nothing_from_elsewhere(path):
    assert not re.search(
        r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=[\"'](?:https?:)?//", markup(path)
    )


@pytest.mark.parametrize("path", named(TEMPLATES))
def test_a_form_that_posts_carries_the_token(path):
    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", markup(path), re.DOTALL | re.IGNORECASE):
        assert "csrf_token" in form


@pytest.mark.parametrize("path", named(path for path in STYLESHEETS if path.name != "tokens.css"))
def test_a_stylesheet_reads_only_meanings(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)

    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=\s*[;,) ])|\b(?:rgba?|hsla?)\(", text)
    # Derived colours start from a meaning.
    assert not re.search(r"\boklch\((?!from var\(--)", text)
    assert not re.search(r"var\(--(?:slate|petrol|green|amber|red|blue|plum)-", text)
    assert not re.search(r"url\([\"']?(?:data|https?):", text)


def test_every_meaning_that_is_read_exists():
    text = {path.name: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL) for path in STYLESHEETS}
    defined = set(re.findall(r"(--[\w-]+)\s*:", "".join(text.values()))) | set(
        re.findall(r"@property (--[\w-]+)", text["tokens.css"])
    )

    read = set(re.findall(r"var\((--[\w-]+)", "".join(text.values())))

    assert read - defined == set()


def test_every_stylesheet_is_linked_by_all_pages_or_by_the_few_that_need_it():
    link = re.compile(r"static 'css/([\w-]+\.css)'")
    linked = link.findall((ROOT / "templates" / "head.html").read_text())
    single = {
        name for path in TEMPLATES if path.name != "head.html" for name in link.findall(path.read_text())
    }

    assert len(linked) == len(set(linked))
    assert single.isdisjoint(linked)
    assert sorted({*linked, *single}) == [path.name for path in STYLESHEETS]
    assert linked[0] == "tokens.css"  # it declares the order of the layers


def test_every_script_is_linked():
    pages = "".join(path.read_text() for path in TEMPLATES)

    assert [path.name for path in SCRIPTS if f"js/{path.name}" not in pages] == []


@pytest.mark.parametrize("path", named(SCRIPTS))
def test_a_script_needs_no_eval(path):
    assert not re.search(r"\beval\(|new Function\(|\.style\b|setAttribute\([\"']style", path.read_text())
