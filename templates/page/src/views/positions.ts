// Positions: the table of their codes, and how much each resembles every other one.
import type { NumberArray } from "../data.ts";
import { element } from "../elements.ts";
import { figure } from "../figure.ts";
import { at, matrixOf, onGrid, placesOf, similarity } from "../maps.ts";
import { scalesOf, settings } from "../settings.ts";
import { words } from "../words.ts";
import { type ProbeMap, type View, badgeOf } from "./view.ts";

const MOST = 1024; // positions whose similarities are computed

const state = { position: 0 };

/** Positions by features. A map [N C H W] has a position at each place. */
function tableOf({ map }: ProbeMap): NumberArray {
  const whole = map.shape[0] === 1 && map.shape.length > 2 ? at(map, 0) : map;
  return matrixOf(whole);
}

export const positions: View = {
  name: "positions",
  title: "Positions",
  hint: "Red positions resemble each other, blue ones are opposed. Click on a row of the similarities to choose a position.",
  takes: ({ probe }) => probe.family === "position",
  draw: (maps, shown) =>
    maps.map((one) => {
      const table = tableOf(one);
      const codes = figure(table, { title: `${one.probe.id}: ${words("code of each position")}`, scale: scalesOf([table.values])[0], smooth: settings.smooth, badge: badgeOf(one, shown) });
      if (table.shape[0] > MOST) return codes;
      const alike = similarity(table);
      state.position = Math.min(state.position, table.shape[0] - 1);
      const pick = (row: number): void => {
        state.position = row;
        shown.redraw();
      };
      const all = figure(alike, {
        title: `${one.probe.id}: ${words("similarity (cosine)")}`,
        scale: scalesOf([alike.values])[0],
        onpick: pick,
        picked: [state.position, state.position],
      });
      const places = placesOf(one.probe, "keys");
      const row = at(alike, state.position).values;
      const grid = places && figure(onGrid(row, places), { title: `${words("similarity to position")} ${state.position}`, scale: scalesOf([row])[0] });
      return element("div", { class: "pair" }, codes, all, grid);
    }),
  onkey: (key) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return false;
    state.position = Math.max(0, state.position + (key === "ArrowRight" ? 1 : -1));
    return true;
  },
};
