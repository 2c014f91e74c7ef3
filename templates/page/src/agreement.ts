// Agreement: how near the maps of a run are to those that PyTorch made of the same input.
import { type Details, type NumberArray, decodeArray } from "./data.ts";
import { plain } from "./elements.ts";
import type { Picked } from "./picture.ts";
import { words } from "./words.ts";

export interface Agreement {
  /** The largest difference of an element. */
  worst: number;
  /** Whether that is within what another order of additions explains: 1e-4 of the reference's range. */
  near: boolean;
}

export function agreementOf(got: ArrayLike<number>, expected: ArrayLike<number>): Agreement {
  if (got.length !== expected.length) return { worst: Infinity, near: false };
  let [worst, low, high] = [0, Infinity, -Infinity];
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i] - expected[i]);
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference;
    low = Math.min(low, expected[i]);
    high = Math.max(high, expected[i]);
  }
  return { worst, near: worst <= 1e-4 * Math.max(high - low, Math.abs(high), Number.MIN_VALUE) };
}

/** What stands beside a probe's name; nothing where there is no reference for this input. */
export function badge(id: string, map: NumberArray, picked: Picked, details: Details): string | undefined {
  const reference = picked.sample === 0 ? details.reference?.[id] : undefined;
  if (reference === undefined) return undefined;
  const { worst, near } = agreementOf(map.values, decodeArray(reference).values);
  return `${near ? "✓" : "✗"} PyTorch ± ${plain(worst)}${near ? "" : ` ${words("differs")}`}`;
}
