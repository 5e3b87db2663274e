import pytest
import typer

from mlp.cli.aliases import canary_share


@pytest.mark.parametrize(
    ("text", "share"), [("challenger=10", ("challenger", 10.0)), ("next=2.5%", ("next", 2.5)), ("a=0", ("a", 0.0))]
)
def test_canary_share_is_read(text: str, share: tuple[str, float]) -> None:
    assert canary_share(text) == share


@pytest.mark.parametrize("text", ["challenger", "=10", "challenger=", "challenger=ten", "a=101", "a=-1", "a=nan"])
def test_canary_share_of_another_form_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as challenger=10"):
        canary_share(text)
