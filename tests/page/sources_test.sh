#!/bin/sh
# The page's sources: their types, and the tests of their maths in templates/page/test.
set -eu
exec node "$FOVEA_SOURCE_DIR/templates/page/check.mjs" "$FOVEA_BUILD_DIR/page"
