// Inputs: numbers typed in, and pictures as the model takes them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Preprocessing, TYPES, encodeNumbers } from "../src/data.ts";
import { numbersOf } from "../src/inputs.ts";
import { middle, pixelsOfTensor, tensorOfPixels } from "../src/picture.ts";

test("typed numbers, with zeros behind them", () => {
  assert.deepEqual(numbersOf(" [101, 7592;\n-3] ", "ids", 5), [101, 7592, -3, 0, 0]);
  assert.deepEqual(numbersOf("", "ids", 2), [0, 0]);
  assert.throws(() => numbersOf("1 two", "ids", 5), /ids/);
  assert.throws(() => numbersOf("1 2 3", "ids", 2), /3 > 2/);
});

test("each type comes back as it was written", () => {
  for (const type of Object.keys(TYPES).filter((name) => !name.includes("float16")))
    assert.deepEqual(Array.from(TYPES[type].read(encodeNumbers(type, [0, 1, 1]))), [0, 1, 1], type);
  assert.deepEqual(Array.from(TYPES.int64.read(encodeNumbers("int64", [-7]))), [-7]);
});

test("halves and bfloat16 become numbers", () => {
  assert.deepEqual(Array.from(TYPES.float16.read(Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x7c00]).buffer)), [1, -2, 2 ** -24, Infinity]);
  assert.deepEqual(Array.from(TYPES.bfloat16.read(Uint16Array.from([0x3f80, 0xc000]).buffer)), [1, -2]);
});

const how: Preprocessing = {
  input: "x", layout: "NCHW", channels: 3, height: 1, width: 2, mean: [0.5, 0.25, 0], std: [0.5], white: 1, colour: "rgb", fit: "crop",
};
const pixels = Uint8ClampedArray.from([255, 0, 51, 255, 0, 255, 102, 255]);

test("pixels become channels, less the mean, by std", () => {
  const near = (got: ArrayLike<number>, expected: number[]): void =>
    expected.forEach((value, i) => assert.ok(Math.abs(got[i] - value) < 1e-6, `${i}: ${got[i]}, expected ${value}`));
  near(tensorOfPixels(pixels, how), [1, -1, -0.5, 1.5, 0.4, 0.8]);
  near(tensorOfPixels(pixels, { ...how, layout: "NHWC" }), [1, -0.5, 0.4, -1, 1.5, 0.8]);
  near(tensorOfPixels(pixels, { ...how, colour: "bgr", mean: [0], std: [1], white: 255 }), [51, 102, 0, 255, 255, 0]);
  near(tensorOfPixels(pixels, { ...how, colour: "gray", channels: 1, mean: [0], std: [1] }), [0.299 + 0.114 * 0.2, 0.587 + 0.114 * 0.4]);
});

test("an input is drawn as the picture that it was made of", () => {
  for (const way of [how, { ...how, layout: "NHWC" as const }, { ...how, colour: "bgr" as const, white: 255 }])
    assert.deepEqual(pixelsOfTensor(tensorOfPixels(pixels, way), way), pixels);
});

test("a picture is cut in the middle", () => {
  assert.deepEqual(middle(200, 100, 10, 10), [50, 0, 100, 100]);
  assert.deepEqual(middle(100, 200, 20, 10), [0, 75, 100, 50]);
});
