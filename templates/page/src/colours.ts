// Colours: the scales that maps are drawn with, and how numbers find their place on them.
import {
  interpolateCividis,
  interpolateGreys,
  interpolateInferno,
  interpolatePuOr,
  interpolateRdBu,
  interpolateViridis,
} from "d3-scale-chromatic";

export type Rgb = [number, number, number];

const SIZE = 256;

function rgbOf(colour: string): Rgb {
  if (colour.startsWith("#")) return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as Rgb;
  return colour.match(/[\d.]+/g)!.slice(0, 3).map(Number) as Rgb;
}

function tableOf(interpolate: (share: number) => string): Rgb[] {
  return Array.from({ length: SIZE }, (_, i) => rgbOf(interpolate(i / (SIZE - 1))));
}

/** Of numbers that have a least and a largest, and of numbers around 0. */
export const SEQUENTIAL: Record<string, Rgb[]> = {
  viridis: tableOf(interpolateViridis),
  inferno: tableOf(interpolateInferno),
  cividis: tableOf(interpolateCividis),
  greys: tableOf(interpolateGreys),
};
export const DIVERGING: Record<string, Rgb[]> = {
  "red-blue": tableOf((share) => interpolateRdBu(1 - share)),
  "purple-orange": tableOf((share) => interpolatePuOr(1 - share)),
};

/** From the colour of `low` to that of `high`. */
export interface Scale {
  table: Rgb[];
  low: number;
  high: number;
  /** Whether other pictures have the same one. */
  shared?: boolean;
}

export function range(values: ArrayLike<number>): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low <= high ? [low, high] : [0, 0];
}

/** Signed numbers get a diverging scale, with its middle at 0. */
export function scaleOf([low, high]: [number, number], sequential = "viridis", diverging = "red-blue"): Scale {
  if (low >= 0) return { table: SEQUENTIAL[sequential] ?? SEQUENTIAL.viridis, low, high };
  const most = Math.max(-low, high);
  return { table: DIVERGING[diverging] ?? DIVERGING["red-blue"], low: -most, high: most };
}

export function colourOf(scale: Scale, value: number): Rgb {
  const share = scale.high > scale.low ? (value - scale.low) / (scale.high - scale.low) : 0;
  return scale.table[Math.max(0, Math.min(SIZE - 1, Math.round(share * (SIZE - 1))))];
}
