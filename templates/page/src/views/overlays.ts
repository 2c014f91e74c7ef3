// Maps over places: CBAM's spatial gate, global context, class activation maps and their kin, laid over the picture, the
// layers side by side as a film strip.
import type { NumberArray, Probe } from "../data.ts";
import { element } from "../elements.ts";
import { figure } from "../figure.ts";
import { hasChannels, spatialMap } from "../maps.ts";
import { scalesOf, settings } from "../settings.ts";
import { words } from "../words.ts";
import { type View, badgeOf } from "./view.ts";

const state = { chosen: 0 };

const titleOf = (probe: Probe): string => (hasChannels(probe) ? `${probe.id}: ${words("mean over the channels")}` : probe.id);

const step = (count: number, by: number): void => {
  state.chosen = (state.chosen + by + count) % count;
};

export const overlays: View = {
  name: "places",
  title: "Where: maps over the picture",
  hint: "The lighter a place, the more it counts. Each frame is a layer; [ and ] go through them.",
  takes: ({ probe, map }) => spatialMap(probe, map) !== null,
  draw: (maps, shown) => {
    const { picked, redraw } = shown;
    state.chosen = Math.min(state.chosen, maps.length - 1);
    const places = maps.map(({ probe, map }) => spatialMap(probe, map) as NumberArray);
    const scales = scalesOf(places.map(({ values }) => values));
    const draw = (i: number, isStrip: boolean): HTMLElement => {
      const made = figure(places[i], {
        title: titleOf(maps[i].probe),
        scale: scales[i],
        picture: picked.picture,
        opacity: picked.picture ? settings.opacity : 1,
        smooth: settings.smooth,
        bare: isStrip,
        badge: badgeOf(maps[i], shown),
      });
      return made;
    };
    const strip = element("div", { class: "strip", role: "group", "aria-label": words("layers") });
    if (maps.length > 1)
      maps.forEach(({ probe }, i) => {
        const pick = (): void => {
          state.chosen = i;
          redraw();
        };
        strip.append(
          element("button", { type: "button", class: "frame", title: probe.id, "aria-pressed": String(i === state.chosen), onclick: pick }, draw(i, true)),
        );
      });
    return [draw(state.chosen, false), maps.length > 1 ? strip : null];
  },
  onkey: (key, maps) => {
    if (key !== "[" && key !== "]") return false;
    step(maps.length, key === "]" ? 1 : -1);
    return true;
  },
};
