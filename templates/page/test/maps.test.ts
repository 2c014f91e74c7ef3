// The maths of the views, against numbers worked out by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumberArray, Places, Probe } from "../src/data.ts";
import { at, channelOf, entropy, onGrid, over, placeInMap, product, rollout, shares, similarity, spatialMap, tokenOfPlace, transposed, unwindow } from "../src/maps.ts";

const matrix = (...rows: number[][]): NumberArray => ({ shape: [rows.length, rows[0].length], values: Float32Array.from(rows.flat()) });
const stack = (...layers: NumberArray[]): NumberArray => ({
  shape: [layers.length, ...layers[0].shape],
  values: Float32Array.from(layers.flatMap(({ values }) => Array.from(values))),
});
const near = (got: ArrayLike<number>, expected: number[]): void => {
  assert.equal(got.length, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(got[i] - value) < 1e-6, `${i}: ${got[i]}, expected ${value}`));
};

test("over the heads: mean and largest", () => {
  const heads = stack(matrix([1, 2], [3, 4]), matrix([5, 0], [1, 8]));
  near(over(heads, "mean").values, [3, 1, 2, 6]);
  near(over(heads, "max").values, [5, 2, 3, 8]);
  near(at(heads, 1).values, [5, 0, 1, 8]);
});

test("entropy: none where one key gets all, two bits where four share it", () => {
  assert.equal(entropy(matrix([1, 0, 0, 0])), 0);
  assert.equal(entropy(matrix([0.25, 0.25, 0.25, 0.25])), 2);
  assert.equal(entropy(matrix([1, 0], [0.5, 0.5])), 0.5);
});

test("products and transposes of matrices that are not square", () => {
  near(product(matrix([1, 2, 3]), matrix([1, 0], [0, 1], [2, 2])).values, [7, 8]);
  near(transposed(matrix([1, 2, 3], [4, 5, 6])).values, [1, 4, 2, 5, 3, 6]);
});

test("rollout: later layers stand on the left, each mixed with what it was given", () => {
  const first = stack(matrix([0, 1], [0, 1]));
  const second = stack(matrix([1, 0], [1, 0]));
  near(rollout([first]).values, [0.5, 0.5, 0, 1]);
  near(rollout([first, second]).values, [0.5, 0.5, 0.25, 0.75]);
});

test("similarity is the cosine, 0 for a row of zeros", () => {
  near(similarity(matrix([2, 0], [1, 1], [0, 0])).values, [1, Math.SQRT1_2, 0, Math.SQRT1_2, 1, 0, 0, 0, 0]);
});

test("shares near the ends", () => {
  assert.deepEqual(shares([0, 0.05, 0.5, 0.95], 0.1, 0.9), [0.5, 0.25]);
});

const places: Places = { grid: [4, 6], prefix: 0, suffix: 0, window: [2, 3], shift: [1, 2] };

test("a window's tokens lie where they were before the shift, and come back", () => {
  assert.deepEqual(placeInMap(0, 0, places), [1, 2]);
  assert.deepEqual(placeInMap(0, 4, places), [2, 3]);
  assert.deepEqual(placeInMap(3, 5, places), [0, 1]); // over both borders
  for (let window = 0; window < 4; window++)
    for (let token = 0; token < 6; token++)
      assert.deepEqual(tokenOfPlace(placeInMap(window, token, places), places), [window, token]);
});

test("a window on the whole map: its weights, and nothing elsewhere", () => {
  const map = unwindow([1, 2, 3, 4, 5, 6], 3, places);
  assert.deepEqual(map.shape, [4, 6]);
  assert.equal(Array.from(map.values).filter((value) => !Number.isNaN(value)).length, 6);
  assert.equal(map.values[0 * 6 + 1], 6);
});

test("tokens on their grid, without those in front", () => {
  near(onGrid([9, 1, 2, 3, 4], { grid: [2, 2], prefix: 1, suffix: 0 }).values, [1, 2, 3, 4]);
});

test("which maps lie over places", () => {
  const probe = (axes: string, more = {}): Probe => ({ axes, kind: "spatial", ...more }) as Probe;
  const map = (shape: number[]): NumberArray => ({ shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i) });
  assert.deepEqual(spatialMap(probe("N H W"), map([1, 2, 3]))?.shape, [2, 3]);
  assert.deepEqual(spatialMap(probe("N 1 H W"), map([2, 1, 2, 3]))?.shape, [2, 3]);
  assert.equal(spatialMap(probe("N C H 1"), map([1, 4, 2, 1])), null);
  near(spatialMap(probe("N C H W"), map([1, 2, 1, 3]))!.values, [1.5, 2.5, 3.5]); // the mean of the channels
  assert.deepEqual(spatialMap(probe("N 1 HW", { grid: [2, 3] }), map([1, 1, 6]))?.shape, [2, 3]);
});

test("a channel of a map, wherever channels stand", () => {
  const first = { shape: [1, 3, 1, 2], values: [0, 1, 2, 3, 4, 5] };
  near(channelOf({ ...first, values: Float32Array.from(first.values) }, 1, 3)!.values, [2, 3]);
  near(channelOf({ shape: [1, 1, 2, 3], values: Float32Array.from(first.values) }, 1, 3)!.values, [1, 4]);
  assert.equal(channelOf({ shape: [1, 3], values: [0, 1, 2] }, 1, 3), null);
});
