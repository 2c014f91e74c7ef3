"""Arrays as generated code keeps them, and the standard's own comparison of results."""

import ml_dtypes
import numpy as np

# Types of less than a byte are kept one element a byte: integers by their value, float4 by its code.
SMALL_INTEGERS = {ml_dtypes.int4: np.int8, ml_dtypes.uint4: np.uint8, ml_dtypes.int2: np.int8, ml_dtypes.uint2: np.uint8}


def stored(array):
    """The array in the type that generated code has for its elements."""
    for small, whole in SMALL_INTEGERS.items():
        if array.dtype == small:
            return array.astype(whole)
    if array.dtype == np.bool_ or array.dtype.kind not in "iuf":
        return array.view({1: np.uint8, 2: np.uint16}[array.dtype.itemsize])
    return array.view(np.uint16) if array.dtype == np.float16 else array


def from_bytes(data, expected):
    """What generated code wrote, in the type of the array that is expected; of bool and small integers, as stored."""
    if any(expected.dtype == small for small in SMALL_INTEGERS) or expected.dtype == np.bool_:
        return np.frombuffer(data, stored(expected).dtype).reshape(expected.shape)
    return np.frombuffer(data, expected.dtype).reshape(expected.shape)


def padded(array, shape):
    """The array with -1 behind it up to a shape; itself where it does not go into that."""
    if array.ndim != len(shape) or any(a > b for a, b in zip(array.shape, shape)):
        return array
    return np.pad(array, [(0, b - a) for a, b in zip(array.shape, shape)], constant_values=-1)


def is_float(dtype):
    return dtype.kind == "f" or dtype.name.startswith(("float", "bfloat"))


def worst_ulp(got, expected):
    """The largest difference in units in the last place of what is expected, or of a sixteenth of the largest element
    where it is smaller than that; 0 where nothing differs, None of what are no floats."""
    if not is_float(expected.dtype):
        return None
    got, want = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(got) & np.isfinite(want)
    if not finite.any():
        return 0.0
    size = np.maximum(np.abs(want[finite]), np.abs(want[finite]).max() / 16)
    _, exponent = np.frexp(np.where(size > 0, size, 1))
    units = np.abs(got[finite] - want[finite]) / np.exp2(exponent - 1.0 - ml_dtypes.finfo(expected.dtype).nmant)
    return float(units.max())


def difference(got, expected, rtol, atol):
    """"" where they agree: integers exactly, numbers as onnx.backend.test.runner compares them."""
    if expected.dtype.kind in "iub" or any(expected.dtype == small for small in SMALL_INTEGERS):
        want = stored(expected) if expected.dtype == np.bool_ or expected.dtype.kind not in "iu" else expected
        wrong = int(np.sum(got != want))
        return f"{wrong} of {got.size} elements differ" if wrong else ""
    if expected.dtype == ml_dtypes.bfloat16:
        rtol = max(rtol, 2**-6)
    got, want = got.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        close = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
        if close.all():
            return ""
        return f"{int(np.sum(~close))} of {got.size} elements differ, by up to {np.nanmax(np.abs(got - want)):.3g}"
