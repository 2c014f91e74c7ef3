// Views: one for each kind of map. What none of them knows is drawn as a matrix.
import type { Details, Manifest, NumberArray, Probe } from "../data.ts";
import { countOf } from "../data.ts";
import { figure } from "../figure.ts";
import type { Picked } from "../picture.ts";
import type { Result } from "../runner.ts";

export interface Shown {
  manifest: Manifest;
  details: Details;
  picked: Picked;
  result: Result;
}

export interface ProbeMap {
  probe: Probe;
  map: NumberArray;
}

/** All probes whose maps a run has made, in the order of execution. */
export function mapsOf({ manifest, result }: Shown): ProbeMap[] {
  return manifest.probes.flatMap((probe) => {
    const map = result.probes.get(probe.id);
    return map === undefined ? [] : [{ probe, map }];
  });
}

/** An array as a matrix: its last dimension across, all others down. */
export function matrixOf(array: NumberArray): NumberArray {
  const columns = array.shape.at(-1) ?? 1;
  return { shape: [columns > 0 ? countOf(array.shape) / columns : 0, columns], values: array.values };
}

export function viewsOf(shown: Shown): HTMLElement[] {
  return mapsOf(shown).map(({ probe, map }) => figure(matrixOf(map), { title: probe.id }));
}
