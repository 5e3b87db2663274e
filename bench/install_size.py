"""How much disk the base installation takes: requirements/base.txt and the wheel of this project, without extras.

Prints the size beyond an empty environment, as the packages come and with the bytecode that pip compiles at
installation, and the largest packages; ends with exit code 1 if the size with bytecode is over the bar.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

BAR_MB = 160.0
LARGEST_SHOWN = 12
ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv.exe" if sys.platform == "win32" else "uv")


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, cwd=ROOT, timeout=600, stdout=subprocess.DEVNULL)


def make_environment(folder: Path) -> Path:
    """An empty environment without pip; its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install(python: Path, wheel: Path) -> None:
    quietly = ("--quiet", "--link-mode", "copy", "--python", python)
    run(UV, "pip", "install", *quietly, "--require-hashes", "-r", ROOT / "requirements" / "base.txt")
    run(UV, "pip", "install", *quietly, "--no-deps", wheel)


def megabytes(size: float) -> float:
    return size / 1e6


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
        (wheel,) = folder.glob("*.whl")
        python = make_environment(folder / "environment")
        empty_bytes = size_bytes(folder / "environment")
        install(python, wheel)
        plain_bytes = size_bytes(folder / "environment") - empty_bytes
        (packages,) = (folder / "environment").glob("[Ll]ib/**/site-packages")
        run(python, "-m", "compileall", "-q", packages)
        compiled_bytes = size_bytes(folder / "environment") - empty_bytes
        parts = Counter({path.name: size_bytes(path) for path in packages.iterdir() if path.is_dir()})
    for part, part_bytes in parts.most_common(LARGEST_SHOWN):
        print(f"  {part:<32}{megabytes(part_bytes):7.1f} MB")
    print(f"base installation, as it comes: {megabytes(plain_bytes):.1f} MB")
    is_met = megabytes(compiled_bytes) <= BAR_MB
    verdict = "met" if is_met else "MISSED"
    print(f"with bytecode: {megabytes(compiled_bytes):.1f} MB (bar: at most {BAR_MB:.0f} MB): {verdict}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
