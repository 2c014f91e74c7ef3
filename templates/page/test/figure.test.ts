// Pictures as SVG, and the places of numbers on scales.
import assert from "node:assert/strict";
import { test } from "node:test";
import { colourOf, range, scaleOf } from "../src/colours.ts";
import { svgOf } from "../src/figure.ts";

test("a scale goes from the least to the largest; around 0 where there are negative numbers", () => {
  assert.deepEqual(range([3, NaN, -1, 2]), [-1, 3]);
  assert.deepEqual(range([]), [0, 0]);
  const signed = scaleOf([-1, 3]);
  assert.deepEqual([signed.low, signed.high], [-3, 3]);
  assert.deepEqual(colourOf(signed, -3), signed.table[0]);
  assert.deepEqual(colourOf(signed, 100), signed.table.at(-1));
  assert.deepEqual(colourOf(scaleOf([2, 2]), 2), scaleOf([2, 2]).table[0]);
});

test("an SVG has a cell for each number, and names that stay text", () => {
  const svg = svgOf({ shape: [2, 2], values: [0, 1, NaN, 0.5] }, scaleOf([0, 1]), "</title><script>&");
  assert.equal(svg.match(/<rect /g)?.length, 3);
  assert.match(svg, /<title>&#60;\/title&#62;&#60;script&#62;&#38;: 0 – 1<\/title>/);
  assert.match(svg, /<rect x="1" y="1" width="1" height="1" fill="#[0-9a-f]{6}"\/>/);
});
