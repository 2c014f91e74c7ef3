// A view: what it is, and what it is given.
import { badge } from "../agreement.ts";
import type { Details, Manifest, NumberArray, Probe } from "../data.ts";
import type { Picked } from "../picture.ts";
import type { Result } from "../runner.ts";

/** What is on the page now, and what was before it, for comparisons. */
export interface Shown {
  manifest: Manifest;
  details: Details;
  picked: Picked;
  result: Result;
  before: { picked: Picked; result: Result } | null;
  /** Draws the view anew, when the reader has chosen another layer, head or query. */
  redraw: () => void;
}

export interface ProbeMap {
  probe: Probe;
  map: NumberArray;
}

export interface View {
  /** For the link to it; a word. */
  name: string;
  title: string;
  /** What is seen, and what can be done, in a sentence or two. */
  hint: string;
  /** Whether it shows a map. The first view that does takes it. */
  takes: (map: ProbeMap, shown: Shown) => boolean;
  /** What it shows of the maps that it took, of which there is one at least. */
  draw: (maps: ProbeMap[], shown: Shown) => (Node | null)[];
  /** What a key does while the view has the focus; whether it did anything. */
  onkey?: (key: string, maps: ProbeMap[]) => boolean;
}

/** What stands beside the name of a map: its agreement with a reference, if there is one. */
export function badgeOf({ probe, map }: ProbeMap, { picked, details }: Shown): string | undefined {
  return badge(probe.id, map, picked, details);
}

/** All probes whose maps a run has made, in the order of execution. */
export function mapsOf(manifest: Manifest, result: Result): ProbeMap[] {
  return manifest.probes.flatMap((probe) => {
    const map = result.probes.get(probe.id);
    return map === undefined ? [] : [{ probe, map }];
  });
}
