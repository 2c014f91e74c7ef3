"""Draws docs/images/vit_attention.png: the test digit, and what the class token attends to in each layer (rows) and head
(columns) of examples/digits/vit.onnx. Needs numpy; run it in this folder after the maps have changed."""
import struct
import zlib

import numpy as np

TILE, GAP = 112, 8
DIGITS = "../../examples/digits/"

# Viridis at nine places (Smith and van der Walt, 2015).
VIRIDIS = np.array([[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129],
                    [92, 200, 99], [170, 220, 50], [253, 231, 37]], float)


def viridis(values):
    place = np.clip(values, 0, 1) * (len(VIRIDIS) - 1)
    low = np.minimum(place.astype(int), len(VIRIDIS) - 2)
    share = (place - low)[..., None]
    return VIRIDIS[low] * (1 - share) + VIRIDIS[low + 1] * share


def enlarged(picture):
    return np.kron(picture, np.ones((TILE // picture.shape[0], TILE // picture.shape[1])))


def write_png(path, pixels):
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
                           (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]:
            out.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def main():
    digit = enlarged(np.load(DIGITS + "vit_inputs.npz")["image"][0, 0])
    layers = [probs[0, :, 0, 1:] for probs in np.load(DIGITS + "vit_probes.npz").values()]
    heads = len(layers[0])
    canvas = np.full((3 * TILE + 4 * GAP, (heads + 1) * TILE + (heads + 3) * GAP, 3), 255.0)
    top = GAP + TILE + GAP
    canvas[top:top + TILE, GAP:GAP + TILE] = 255 * (1 - digit[..., None])
    for row, layer in enumerate(layers):
        for column, weights in enumerate(layer):
            y, x = GAP + row * (TILE + GAP), 3 * GAP + TILE + column * (TILE + GAP)
            heat = viridis(enlarged(weights.reshape(4, 4) / weights.max()))
            canvas[y:y + TILE, x:x + TILE] = heat * (0.55 + 0.45 * digit[..., None])
    write_png("vit_attention.png", canvas.round().astype(np.uint8))


main()
