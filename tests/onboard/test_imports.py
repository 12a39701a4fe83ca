"""What flies loads nothing of the workstation, and imports go one way down."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("onboard", "maps", "export", "tools")  # each imports only itself and those before
GROUND_ONLY = ("torch", "rasterio", "osgeo", "shapely", "PIL", "matplotlib", "onnx")
STAGES = ("rectify", "describe", "retrieve", "rerank", "locate", "gate", "fuse", "publish")

LOAD_ALL = """
import importlib, pkgutil, sys
import onboard
names = [m.name for m in pkgutil.walk_packages(onboard.__path__, "onboard.")]
for name in names:
    importlib.import_module(name)
print(len(names), *(m for m in sys.argv[1:] if m in sys.modules))
"""


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_onboard_loads_nothing_of_the_ground() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, *GROUND_ONLY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, *loaded = done.stdout.split()
    assert int(count) >= len(list((ROOT / "onboard").glob("*.py"))) - 1
    assert loaded == []


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_one_way_down(layer: str) -> None:
    above = LAYERS[LAYERS.index(layer) + 1 :]
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports_of(path)
        if name.split(".")[0] in above
    ]
    assert wrong == []


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_import_one_another(stage: str) -> None:
    path = ROOT / "onboard" / f"{stage}.py"
    others = {f"onboard.{other}" for other in STAGES if other != stage}
    assert others.isdisjoint(imports_of(path))


def test_only_the_localizer_and_the_loop_see_all_stages() -> None:
    stages = {f"onboard.{stage}" for stage in STAGES}
    seeing = {
        path.name
        for path in (ROOT / "onboard").glob("*.py")
        if len(stages.intersection(imports_of(path))) > 2
    }
    assert seeing <= {"localize.py", "loop.py"}
