#!/bin/sh
# The installed package serves foreign projects: examples/cmake, and two models in one C++ program.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$FOVEA_BUILD_DIR" --prefix "$work/installed" >/dev/null

build() {
    cmake -S "${2:-$FOVEA_SOURCE_DIR/examples/$1}" -B "$work/$1" -G Ninja -DCMAKE_PREFIX_PATH="$work/installed" >/dev/null
    cmake --build "$work/$1" >/dev/null
}

build cmake
"$work/cmake/app" | grep -x 'it is a 7'
# The same with --dispatch, which is more files, and for threads.
mkdir "$work/variants"
cp "$FOVEA_SOURCE_DIR/examples/cmake/app.c" "$work/variants"
sed "s|\.\./digits/senet.onnx|$FOVEA_SOURCE_DIR/examples/digits/senet.onnx THREADS 3 OPTIONS --dispatch|" \
    "$FOVEA_SOURCE_DIR/examples/cmake/CMakeLists.txt" >"$work/variants/CMakeLists.txt"
build dispatch "$work/variants"
"$work/dispatch/app" | grep -x 'it is a 7'
grep -x '#define SENET_THREADS 3.*' "$work/dispatch/fovea/senet/senet.h"
build two_models
"$work/two_models/vote" | grep -x 'senet: 7, vit: 7, attention maps: 6'
