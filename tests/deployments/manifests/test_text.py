"""What people write reaches the container as they wrote it."""

from hypothesis import given
from hypothesis import strategies as st

from deployments.manifests.common import literal

DOLLARS = st.text(st.sampled_from(list("$()aB_ ")) | st.characters(exclude_categories=["Cs"]))


def expand(text: str) -> str:
    """What the kubelet makes of text: $$ is a dollar, $(NAME) a variable's value, anything else stays."""
    made, index = "", 0
    while index < len(text):
        if text[index] == "$" and text[index + 1 : index + 2] == "$":
            made, index = made + "$", index + 2
        elif text[index] == "$" and text[index + 1 : index + 2] == "(" and ")" in text[index:]:
            made, index = made + "<expanded>", text.index(")", index) + 1
        else:
            made, index = made + text[index], index + 1
    return made


@given(DOLLARS)
def test_the_kubelet_gives_back_the_text(text: str) -> None:
    assert expand(literal(text)) == text


def test_a_variable_in_an_argument_is_not_expanded() -> None:
    assert literal("$(HF_TOKEN)") == "$$(HF_TOKEN)"


def test_text_without_need_stays_readable() -> None:
    assert literal('{"price": "$5"}') == '{"price": "$5"}'
