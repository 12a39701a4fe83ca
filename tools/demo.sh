#!/usr/bin/env bash
# From a bare clone to a flight: installs into a virtual environment, runs `pilotage demo`.
# Arguments go to the demo (see: tools/demo.sh --help).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
install "opencv,maps,tools"
exec "$venv/bin/pilotage" demo "$@"
