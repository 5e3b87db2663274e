from pathlib import Path

from tests.docs.blocks import Block, blocks_of, commands_within, rows_of


def test_blocks_of_markdown(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("Text\n\n```sh\nmake demo\n\nmake test\n```\n\nand `make`\n\n```text\nx\n```\n")

    assert blocks_of(path) == [Block("sh", "make demo\n\nmake test\n"), Block("text", "x\n")]


def test_blocks_of_restructured_text_know_their_options(tmp_path: Path) -> None:
    path = tmp_path / "page.rst"
    path.write_text(
        "Title\n=====\n\n.. code-block:: python\n   :caption: a.py\n   :class: tested\n\n   def f():\n\n"
        "       return 1\n\nThen\n\n.. code-block:: sh\n\n   mlp serve\n"
    )

    assert blocks_of(path) == [
        Block("python", "def f():\n\n    return 1\n", "a.py", True),
        Block("sh", "mlp serve\n"),
    ]


def test_rows_of_a_list_table(tmp_path: Path) -> None:
    path = tmp_path / "page.rst"
    path.write_text(".. list-table::\n   :widths: 1 1\n\n   * - ``a``\n     -\n   * - ``b``\n     - two\n")

    assert rows_of(path) == [["``a``", ""], ["``b``", "two"]]


def test_commands_within_lines_and_over_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "page.rst"
    path.write_text("Say ``mlp models\nlist`` or `mlp serve`, not ``mlp.toml``.\n")

    assert commands_within(path) == ["mlp models list", "mlp serve"]
