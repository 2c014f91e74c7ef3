// What numpy reads: headers to the byte, elements, and an archive of several arrays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { unzipSync } from "fflate";
import type { NumberArray } from "../src/data.ts";
import { npy, npz } from "../src/npz.ts";

test("a header fills 64 bytes and says the shape as Python would", () => {
  const bytes = npy({ shape: [2, 3], values: [1, 2, 3, 4, 5, 6] });
  const header = new TextDecoder().decode(bytes.slice(10, 128));
  assert.equal(bytes.length, 128 + 24);
  assert.ok(header.startsWith("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  assert.equal(header.at(-1), "\n");
  assert.deepEqual([...new Float32Array(bytes.slice(128).buffer)], [1, 2, 3, 4, 5, 6]);
});

test("one dimension has its comma, none has none", () => {
  const shapeOf = (shape: number[], count: number): string =>
    new TextDecoder().decode(npy({ shape, values: new Array(count).fill(0) })).match(/\((.*)\)/)![1];
  assert.equal(shapeOf([3], 3), "3,");
  assert.equal(shapeOf([], 1), "");
});

test("an archive has an array for each name, the same bytes each time", () => {
  const arrays: [string, NumberArray][] = [
    ["se.gate", { shape: [1], values: [0.5] }],
    ["b/c", { shape: [1], values: [2] }],
  ];
  const made = npz(arrays);
  assert.deepEqual(Object.keys(unzipSync(made)), ["se.gate.npy", "b/c.npy"]);
  assert.deepEqual(made, npz(arrays));
});
