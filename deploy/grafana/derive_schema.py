"""Derives JSON Schemas from Grafana's own TypeScript interfaces, so that tests need neither Node nor the network.

``python -m deploy.grafana.derive_schema`` installs three npm packages into a temporary folder and writes
``deploy/grafana/schema/grafana-VERSION.json``; wanted only when the version of Grafana changes.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: The newest release of the line that docker-compose.yaml pins.
GRAFANA_VERSION = "13.2.3"
SCHEMA = Path(__file__).resolve().parent / "schema" / f"grafana-{GRAFANA_VERSION}.json"
_PACKAGES = (f"@grafana/schema@{GRAFANA_VERSION}", "typescript@5", "ts-json-schema-generator@1.5.1")
_TYPES = "./node_modules/@grafana/schema/dist/types/raw"
#: Panels that the builder knows, with whether they have settings of their own for each field.
_PANELS = {"timeseries": True, "stat": False, "table": True, "bargauge": False}
_COMPILER = {"strict": True, "skipLibCheck": True, "moduleResolution": "node", "module": "esnext", "types": []}


def derive() -> dict[str, Any]:
    """The schemas of a dashboard and of each panel's options and custom field settings."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text("{}", encoding="utf-8")
        _run(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *_PACKAGES)
        panels = {}
        for panel, has_custom in _PANELS.items():
            source = f"composable/{panel}/panelcfg/x/types.gen"
            panels[panel] = {"options": _schema(folder, source, "Options")}
            if has_custom:
                panels[panel]["custom"] = _schema(folder, source, "FieldConfig")
        return {
            "comment": f"Derived by deploy/grafana/derive_schema.py from the interfaces of the npm package "
            f"@grafana/schema {GRAFANA_VERSION} (Grafana Labs, Apache License 2.0).",
            "dashboard": _schema(folder, "dashboard/x/types.gen", "Dashboard"),
            "panels": panels,
        }


def _schema(folder: Path, source: str, interface: str) -> dict[str, Any]:
    found = f"import type {{ {interface} as Found }} from '{_TYPES}/{source}';"
    (folder / "asked.ts").write_text(f"{found}\nexport interface Asked extends Found {{}}\n", encoding="utf-8")
    settings = {"compilerOptions": _COMPILER, "files": ["asked.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    generator = "node_modules/.bin/ts-json-schema-generator"
    options = ("--path", "asked.ts", "--type", "Asked", "--tsconfig", "tsconfig.json", "--jsDoc", "none")
    schema: dict[str, Any] = json.loads(_run(folder, generator, *options, "--no-type-check"))
    return schema


def _run(folder: Path, *command: str) -> str:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if finished.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {finished.stderr[-2000:]}")
    return finished.stdout


def main() -> int:
    """Write the file; the exit code."""
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(json.dumps(derive(), separators=(",", ":"), sort_keys=True) + "\n", "utf-8", newline="\n")
    sys.stdout.write(f"written: {SCHEMA.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
