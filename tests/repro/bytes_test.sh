#!/bin/sh
# Two compilations of one model give the same bytes, from different folders and in different locales.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/a" "$work/b"
cp "$FOVEA_SOURCE_DIR"/examples/digits/*.onnx "$work/b"

# A locale whose decimal point is a comma.
localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8"
LOCPATH=$work LC_ALL=de_DE.UTF-8 locale decimal_point | grep -qx ,

for network in senet cbam vit; do
    for weights in inline object file; do
        options="--weights $weights --testbench"
        (cd "$work/a" && LC_ALL=C "$FOVEA" compile "$FOVEA_SOURCE_DIR/examples/digits/$network.onnx" -o out $options)
        (cd "$work/b" && LOCPATH=$work LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo "$FOVEA" compile "$network.onnx" -o out $options)
        diff -r "$work/a/out" "$work/b/out"
        rm -r "$work/a/out" "$work/b/out"
    done
done
