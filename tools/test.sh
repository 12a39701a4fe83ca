#!/usr/bin/env bash
# All checks: style, types, tests. Arguments go to pytest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
install "opencv,maps,cluster,signing,tools,export,survey,dev"
cd "$root"
say "ruff check"
"$venv/bin/ruff" check .
say "ruff format"
"$venv/bin/ruff" format --check .
say "mypy"
"$venv/bin/mypy"
say "pytest"
exec "$venv/bin/python" -m pytest "$@"
