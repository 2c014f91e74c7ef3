"""DFT, STFT, windows and mel filters, compiled and interpreted: lengths of all kinds of factors, axes, directions,
types, against numpy in double precision. Lengths are random; the seed is printed, and FOVEA_SEED repeats it."""
import os
import pathlib
import sys
import tempfile

import numpy as np
import onnx.reference
from onnx import helper

sys.path.insert(0, os.environ["FOVEA_SOURCE_DIR"] + "/tests/support")
from node_cases import TOLERANCE, Cases  # noqa: E402
from random_seed import random_seed  # noqa: E402

SEED = random_seed()
rng = np.random.default_rng(SEED)


def parts(numbers):
    return np.stack([numbers.real, numbers.imag], -1)


def dft(cases, length, axis=1, given=None, complex_input=False, inverse=0, onesided=0, dtype=np.float32):
    """A transform of `length` along an axis that has `given` elements."""
    given = length if given is None else given
    shape = [2, 3, 2]
    shape[axis] = given
    x = rng.standard_normal((*shape, 2 if complex_input else 1)).astype(dtype)
    numbers = x[..., 0].astype(np.float64) + (1j * x[..., 1] if complex_input else 0)
    if inverse and onesided:
        expected = np.fft.irfft(numbers, length, axis)[..., None]
    else:
        expected = parts((np.fft.ifft if inverse else np.fft.fft)(numbers, length, axis))
        if onesided:
            expected = np.take(expected, range(length // 2 + 1), axis)
    constants = {"length": None if given == length and not (inverse and onesided) else np.int64(length)}
    attributes = {"inverse": inverse, "onesided": onesided}
    if cases.opset < 20:
        attributes["axis"] = axis
    else:
        constants["axis"] = np.int64(axis - 4)
    label = f"DFT of {x.shape} to {length}, axis {axis}, {attributes}, {x.dtype}"
    cases.add(label, "DFT", {"x": x}, constants, expected, TOLERANCE[dtype], dtype, **attributes)


def transforms():
    cases, older = Cases(20), Cases(17)
    some = int(rng.integers(2, 300))
    for length in (1, 2, 4, 8, 15, 60, 67, 2 * 71, some):
        dft(cases, length)
        dft(cases, length, complex_input=True, inverse=1, axis=2)
        dft(cases, length, onesided=1, axis=0)
    dft(cases, 12, given=7)
    dft(cases, 73, given=80, complex_input=True)
    dft(cases, 73, given=50, onesided=1, axis=2)
    for length in (12, 13, 71):  # a length of both parities, and one with a large prime
        dft(cases, length, given=length // 2 + 1, complex_input=True, inverse=1, onesided=1)
        dft(cases, length, given=length // 2 - 2, complex_input=True, inverse=1, onesided=1)
    for dtype in (np.float64, np.float16):
        dft(cases, 48, complex_input=True, dtype=dtype)
        dft(cases, 79, complex_input=True, dtype=dtype)
    dft(older, 20, axis=2)
    return cases, older


def stft(cases, samples, step, window, length, onesided, complex_input=False):
    x = rng.standard_normal((2, samples, 2 if complex_input else 1)).astype(np.float32)
    numbers = x[..., 0].astype(np.float64) + (1j * x[..., 1] if complex_input else 0)
    size = length if window is None else len(window)
    starts = range(0, samples - size + 1, step)
    frames = np.stack([numbers[:, s:s + size] for s in starts], 1) * (1 if window is None else window)
    expected = parts(np.fft.fft(frames, axis=-1))
    if onesided:
        expected = expected[:, :, :size // 2 + 1]
    constants = {"step": np.int64(step), "window": window, "length": None if length is None else np.int64(length)}
    cases.add(f"STFT of {samples} by {step}, frames of {size}", "STFT", {"x": x}, constants, expected,
              TOLERANCE[np.float32], onesided=onesided)


def short_transforms():
    cases = Cases(17)
    window = rng.standard_normal(24).astype(np.float32)
    stft(cases, 100, 7, window, None, 1)
    stft(cases, 100, 7, window, 24, 0)
    stft(cases, 64, 64, None, 64, 1)
    stft(cases, 90, 10, None, 15, 0, complex_input=True)
    return [cases]


def reference(op_type, constants, dtype, **attributes):
    cases = Cases(17)
    cases.add("", op_type, {}, constants, None, 0, dtype, **attributes)
    return onnx.reference.ReferenceEvaluator(cases.model()).run(None, {})[0]


def windows():
    cases = Cases(17)
    for op_type in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic, dtype in ((0, np.float32), (1, np.float64)):
            attributes = {"periodic": periodic, "output_datatype": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}
            constants = {"size": np.int64(rng.integers(3, 50))}
            cases.add(f"{op_type} {constants} {periodic}", op_type, {}, constants,
                      reference(op_type, constants, dtype, **attributes), TOLERANCE[dtype], dtype, **attributes)
    for bins, length, rate, low, high in ((8, 64, 8192, 0, 4096), (80, 400, 16000, 20, 7600),
                                          (int(rng.integers(3, 40)), 33, 8000, 0, 3000)):
        constants = {"bins": np.int64(bins), "length": np.int64(length), "rate": np.int64(rate), "low": np.float32(low),
                     "high": np.float32(high)}
        cases.add(f"mel filters {constants}", "MelWeightMatrix", {}, constants,
                  reference("MelWeightMatrix", constants, np.float32), 1e-7)
    return [cases]


def refused(folder, status, words, opset, op_type, inputs, constants):
    cases = Cases(opset)
    cases.add("", op_type, inputs, constants, None, 0)
    cases.refused(folder, status, words)


def refusals(folder):
    x = {"x": np.zeros((1, 8, 1), np.float32)}
    for length, words in ((0, "a transform of length 0"), (-5, "a transform of length -5"), (1 << 40, "at most")):
        refused(folder, 3 if length > 0 else 1, words, 20, "DFT", x, {"length": np.int64(length)})
    refused(folder, 1, "the last axis", 20, "DFT", x, {"length": None, "axis": np.int64(-1)})
    refused(folder, 1, "frame_step is 0", 17, "STFT", x, {"step": np.int64(0)})
    refused(folder, 1, "a frame has 9", 17, "STFT", x, {"step": np.int64(1), "window": None, "length": np.int64(9)})
    refused(folder, 1, "is -3", 17, "HannWindow", {}, {"size": np.int64(-3)})
    refused(folder, 3, "at run time", 17, "HannWindow", {"size": np.array(3)}, {})


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for cases in (*transforms(), *short_transforms(), *windows()):
            cases.check(folder)
        refusals(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
