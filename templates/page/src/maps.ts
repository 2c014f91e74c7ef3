// Maps: what the views compute from a run's maps. Arrays in, arrays out; no page.
import { type NumberArray, type Places, type Probe, countOf } from "./data.ts";

export function arrayOf(shape: number[], fill: (i: number) => number): NumberArray {
  return { shape, values: Float64Array.from({ length: countOf(shape) }, (_, i) => fill(i)) };
}

/** The part of an array at an index of its first dimension. */
export function at(array: NumberArray, index: number): NumberArray {
  const shape = array.shape.slice(1);
  const count = countOf(shape);
  const values = array.values as Float32Array;
  return { shape, values: values.subarray(index * count, (index + 1) * count) };
}

/** A channel [H W] of a map [N C H W], or [N H W C] where there are so many channels there; of the first of the batch. */
export function channelOf(map: NumberArray, channel: number, channels: number): NumberArray | null {
  if (map.shape.length !== 4) return null;
  const [, first, second, last] = map.shape;
  if (first === channels) return at({ shape: [channels, second, last], values: map.values }, channel);
  if (last !== channels) return null;
  return arrayOf([first, second], (i) => map.values[i * channels + channel]);
}

/** An array as a matrix: its last dimension across, all others down. */
export function matrixOf(array: NumberArray): NumberArray {
  const columns = array.shape.at(-1) ?? 1;
  return { shape: [columns > 0 ? countOf(array.shape) / columns : 0, columns], values: array.values };
}

export function transposed({ shape: [rows, columns], values }: NumberArray): NumberArray {
  return arrayOf([columns, rows], (i) => values[(i % rows) * columns + Math.floor(i / rows)]);
}

/** Rows of different lengths in one matrix: what is missing is NaN. */
export function stacked(rows: ArrayLike<number>[]): NumberArray {
  const columns = Math.max(...rows.map((row) => row.length));
  const values = new Float64Array(rows.length * columns).fill(NaN);
  rows.forEach((row, r) => values.set(Array.from(row), r * columns));
  return { shape: [rows.length, columns], values };
}

/** Over the first dimension: the mean, or the largest, of each element. */
export function over(array: NumberArray, how: "mean" | "max"): NumberArray {
  const [count, ...shape] = array.shape;
  const size = countOf(shape);
  return arrayOf(shape, (i) => {
    let result = how === "mean" ? 0 : -Infinity;
    for (let k = 0; k < count; k++) {
      const value = array.values[k * size + i];
      result = how === "mean" ? result + value / count : Math.max(result, value);
    }
    return result;
  });
}

/** The mean entropy, in bits, of the rows of a matrix of probabilities; 0 log 0 is 0. */
export function entropy({ shape: [rows, columns], values }: NumberArray): number {
  let sum = 0;
  for (let i = 0; i < rows * columns; i++) if (values[i] > 0) sum -= values[i] * Math.log2(values[i]);
  return rows > 0 ? sum / rows : 0;
}

/** a b, for matrices. */
export function product(a: NumberArray, b: NumberArray): NumberArray {
  const [rows, depth] = a.shape;
  const columns = b.shape[1];
  const values = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < depth; k++) {
      const factor = a.values[r * depth + k];
      for (let c = 0; c < columns; c++) values[r * columns + c] += factor * b.values[k * columns + c];
    }
  return { shape: [rows, columns], values };
}

/** Attention rollout: the product, from the last layer to the first, of (A + I) / 2, A being the mean over the heads of a
 * layer [heads, L, L]. What each token has taken in of every other one by the last layer, if values only mix.
 * Source: Abnar and Zuidema, Quantifying Attention Flow in Transformers, ACL 2020. */
export function rollout(layers: NumberArray[]): NumberArray {
  let result: NumberArray | null = null;
  for (const layer of layers) {
    const mean = over(layer, "mean");
    const length = mean.shape[0];
    const mixed = arrayOf(mean.shape, (i) => (mean.values[i] + (i % (length + 1) === 0 ? 1 : 0)) / 2);
    result = result === null ? mixed : product(mixed, result);
  }
  return result!;
}

/** The cosine of the angle between each two rows of a matrix; 0 with a row of zeros. */
export function similarity({ shape: [rows, columns], values }: NumberArray): NumberArray {
  const dot = (a: number, b: number): number => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += values[a * columns + c] * values[b * columns + c];
    return sum;
  };
  const length = Array.from({ length: rows }, (_, r) => Math.sqrt(dot(r, r)));
  return arrayOf([rows, rows], (i) => {
    const [a, b] = [Math.floor(i / rows), i % rows];
    return length[a] * length[b] > 0 ? dot(a, b) / (length[a] * length[b]) : 0;
  });
}

/** The shares of numbers below low and above high. */
export function shares(values: ArrayLike<number>, low: number, high: number): [number, number] {
  let [below, above] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) below++;
    if (values[i] > high) above++;
  }
  return [below / values.length, above / values.length];
}

/** Where tokens of an axis are places: their grid, or null. */
export function placesOf(probe: Probe, axis: "keys" | "queries"): Places | null {
  if (axis === "queries" && probe.queries !== undefined) return probe.queries;
  return probe.grid ? (probe as Places) : null;
}

/** The place [row, column] of a window's token in the map that windows were cut from, before it was shifted. Windows are
 * counted row by row, and so are their tokens. */
export function placeInMap(window: number, token: number, { grid, window: size, shift = [0, 0] }: Places): [number, number] {
  const across = Math.ceil(grid[1] / size![1]);
  const row = Math.floor(window / across) * size![0] + Math.floor(token / size![1]);
  const column = (window % across) * size![1] + (token % size![1]);
  return [(row + shift[0]) % grid[0], (column + shift[1]) % grid[1]];
}

/** The window, and the token in it, of a place of the map: the way of placeInMap() back. */
export function tokenOfPlace([row, column]: [number, number], places: Places): [number, number] {
  const { grid, window: size, shift = [0, 0] } = places;
  const across = Math.ceil(grid[1] / size![1]);
  const r = (row - shift[0] + grid[0]) % grid[0];
  const c = (column - shift[1] + grid[1]) % grid[1];
  const window = Math.floor(r / size![0]) * across + Math.floor(c / size![1]);
  return [window, (r % size![0]) * size![1] + (c % size![1])];
}

/** A window's row of weights on the whole map; places outside of the window are NaN. */
export function unwindow(row: ArrayLike<number>, window: number, places: Places): NumberArray {
  const [rows, columns] = places.grid;
  const values = new Float64Array(rows * columns).fill(NaN);
  for (let token = 0; token < row.length; token++) {
    const [r, c] = placeInMap(window, token, places);
    values[r * columns + c] = row[token];
  }
  return { shape: [rows, columns], values };
}

/** The tokens of a row that are places, as their grid. */
export function onGrid(row: ArrayLike<number>, { grid, prefix }: Places): NumberArray {
  return arrayOf([grid[0], grid[1]], (i) => row[prefix + i]);
}

/** Whether a map has a value for each channel at each place. */
export const hasChannels = (probe: Probe): boolean => probe.kind === "spatial" && probe.axes === "N C H W";

/** A map [N H W], [N 1 H W] or [N H*W], or the mean over the channels of [N C H W], as [H W] for the first of the batch,
 * where the probe says so; else null. */
export function spatialMap(probe: Probe, map: NumberArray): NumberArray | null {
  const axes = probe.axes.split(" ");
  const [rows, columns] = map.shape.slice(-2);
  if (hasChannels(probe) && map.shape[1] > 0) return over(at(map, 0), "mean");
  if (axes.slice(-2).join(" ") === "H W" && countOf(map.shape.slice(0, -2)) === map.shape[0])
    return { shape: [rows, columns], values: Array.prototype.slice.call(map.values, 0, rows * columns) };
  if (probe.kind === "spatial" && probe.grid && map.shape.at(-1) === probe.grid[0] * probe.grid[1])
    return { shape: [...probe.grid], values: Array.prototype.slice.call(map.values, 0, probe.grid[0] * probe.grid[1]) };
  return null;
}
