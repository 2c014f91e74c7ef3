// Self-attention: of a query, what each head attends to, on the picture where tokens are places of it; the heads' mean
// and largest, rollout over the layers, and each head's entropy.
import { type NumberArray, type Places, countOf } from "../data.ts";
import { element, plain } from "../elements.ts";
import { figure } from "../figure.ts";
import { at, entropy, matrixOf, onGrid, over, placeInMap, placesOf, rollout, stacked, tokenOfPlace, unwindow } from "../maps.ts";
import { scalesOf, settings } from "../settings.ts";
import { words } from "../words.ts";
import { type ProbeMap, type Shown, type View, badgeOf } from "./view.ts";

const state = { layer: 0, head: -1, query: 0, window: 0, prefix: false, rollout: false };

/** A layer as [heads, queries, keys]: of the first of the batch, or of one window. */
function headsOf({ probe, map }: ProbeMap, window: number): NumberArray {
  const axes = probe.axes.split(" ");
  const heads = axes.includes("H") ? map.shape[axes.indexOf("H")] : 1;
  const [queries, keys] = map.shape.slice(-2);
  const groups = countOf(map.shape) / (heads * queries * keys);
  const group = Math.min(probe.window ? window : 0, groups - 1);
  return at({ shape: [groups, heads, queries, keys], values: map.values }, group);
}

interface Layer {
  one: ProbeMap;
  heads: NumberArray;
  keys: Places | null;
  queries: Places | null;
}

function layerOf(maps: ProbeMap[]): Layer {
  const one = maps[Math.min(state.layer, maps.length - 1)];
  const heads = headsOf(one, state.window);
  state.query = Math.min(state.query, heads.shape[1] - 1);
  state.head = Math.min(state.head, heads.shape[0] - 1);
  return { one, heads, keys: placesOf(one.probe, "keys"), queries: placesOf(one.probe, "queries") };
}

/** A row of weights as it is drawn: on the grid, unshifted out of its window, or as it stands. */
function drawn(row: ArrayLike<number>, keys: Places | null): NumberArray {
  if (keys?.window) return unwindow(row, state.window, keys);
  if (keys && !state.prefix) return onGrid(row, keys);
  return { shape: [1, row.length], values: row };
}

/** Where the query is, in the picture that drawn() makes. */
function marked({ queries, keys }: Layer): [number, number] | null {
  if (queries?.window) return placeInMap(state.window, state.query, queries);
  if (queries === null || keys === null || state.prefix || queries.grid.join() !== keys.grid.join()) return null;
  const place = state.query - queries.prefix;
  return place < 0 || place >= queries.grid[0] * queries.grid[1]
    ? null
    : [Math.floor(place / queries.grid[1]), place % queries.grid[1]];
}

function pickPlace(place: [number, number], { queries }: Layer): void {
  if (queries?.window) [state.window, state.query] = tokenOfPlace(place, queries);
  else if (queries) state.query = queries.prefix + place[0] * queries.grid[1] + place[1];
}

/** What the query is called: a token before or behind the places, or a place. */
function queryName(layer: Layer): string {
  const place = marked(layer);
  const { queries } = layer;
  if (place) return `${words("query")} (${place.join(", ")})`;
  if (queries && queries.prefix === 1 && state.query === 0) return `${words("query")} CLS`;
  return `${words("query")} ${state.query}`;
}

/** The rows of weights that are drawn: mean, largest and each head; or of the rollout, one. */
function rowsOf(layer: Layer, maps: ProbeMap[]): { title: string; row: ArrayLike<number> }[] {
  const row = (matrix: NumberArray): ArrayLike<number> => at(matrix, state.query).values;
  if (state.rollout) {
    const below = maps.slice(0, Math.min(state.layer, maps.length - 1) + 1).map((one) => headsOf(one, 0));
    return [{ title: words("rollout"), row: row(rollout(below)) }];
  }
  const heads = Array.from({ length: layer.heads.shape[0] }, (_, h) => ({
    title: `${words("head")} ${h} · ${plain(entropy(at(layer.heads, h)))} ${words("bits")}`,
    row: row(at(layer.heads, h)),
  }));
  if (heads.length === 1) return heads;
  const rows = stacked(heads.map((head) => head.row));
  const all = [
    { title: words("mean of the heads"), row: over(rows, "mean").values },
    { title: words("largest of the heads"), row: over(rows, "max").values },
  ];
  return state.head < 0 ? [...all, ...heads] : [heads[state.head]];
}

/** Rollout needs layers whose queries are their keys, all of one length. */
function canRoll(maps: ProbeMap[]): boolean {
  const [first] = maps;
  return maps.every(({ probe, map }) => !probe.window && map.shape.at(-1) === first.map.shape.at(-1) && map.shape.at(-2) === map.shape.at(-1));
}

function chooser(name: string, options: [number, string][], key: "layer" | "head", shown: Shown): HTMLElement {
  const select = element("select", { name: key });
  for (const [value, title] of options) select.append(element("option", { value, selected: state[key] === value }, title));
  select.addEventListener("change", () => {
    state[key] = Number(select.value);
    shown.redraw();
  });
  return element("label", {}, words(name), " ", select);
}

function box(name: string, key: "prefix" | "rollout", shown: Shown): HTMLElement {
  const input = element("input", { type: "checkbox", name: key, checked: state[key] });
  input.addEventListener("change", () => {
    state[key] = input.checked;
    shown.redraw();
  });
  return element("label", {}, input, " ", words(name));
}

function controls(layer: Layer, maps: ProbeMap[], shown: Shown): HTMLElement {
  const heads = Array.from({ length: layer.heads.shape[0] }, (_, h): [number, string] => [h, String(h)]);
  const prefix = layer.keys && layer.keys.prefix + layer.keys.suffix > 0 && !layer.keys.window;
  const toClass = (): void => {
    state.query = 0;
    shown.redraw();
  };
  return element(
    "div",
    { class: "controls" },
    chooser("layer", maps.map(({ probe }, i): [number, string] => [i, probe.id]), "layer", shown),
    heads.length > 1 ? chooser("head", [[-1, words("all")], ...heads], "head", shown) : null,
    layer.queries?.prefix === 1 ? element("button", { type: "button", onclick: toClass }, `${words("query")} CLS`) : null,
    prefix ? box("all tokens in a row", "prefix", shown) : null,
    canRoll(maps) ? box("rollout", "rollout", shown) : null,
    element("strong", { class: "query" }, queryName(layer)),
  );
}

/** What goes into the softmax, and what is added to it. */
const NO_WEIGHTS = ["logits", "bias"];

const ROLLOUT =
  "Rollout (Abnar and Zuidema 2020): the product over the layers of (A + I) / 2, A being the mean over the heads.";

export const attention: View = {
  name: "attention",
  title: "Token by token: self-attention",
  hint: "The pink frame is the query; the lighter a place, the more it takes from there. Click to choose another; arrows move it, [ and ] go through layers, h through heads.",
  takes: ({ probe }) => probe.axes.endsWith("Lq Lk") && !NO_WEIGHTS.includes(probe.name),
  draw: (maps, shown) => {
    const layer = layerOf(maps);
    const rows = rowsOf(layer, maps);
    const pictures = rows.map(({ row }) => drawn(row, layer.keys));
    const scales = scalesOf(pictures.map(({ values }) => values));
    const isGrid = layer.keys !== null && !state.prefix;
    const pick = (r: number, c: number): void => {
      if (isGrid) pickPlace([r, c], layer);
      else state.query = Math.min(c, layer.heads.shape[1] - 1);
      shown.redraw();
    };
    const figures = rows.map(({ title }, i) =>
      figure(pictures[i], {
        title: `${layer.one.probe.id} · ${title}`,
        picture: isGrid ? shown.picked.picture : null,
        opacity: settings.opacity,
        smooth: settings.smooth,
        scale: scales[i],
        onpick: pick,
        picked: marked(layer),
      }),
    );
    const whole = figure(matrixOf(state.head < 0 ? over(layer.heads, "mean") : at(layer.heads, state.head)), {
      title: `${layer.one.probe.id} · ${words("all queries")}`,
      badge: badgeOf(layer.one, shown),
      onpick: (r) => {
        state.query = r;
        shown.redraw();
      },
      picked: null,
    });
    return [controls(layer, maps, shown), state.rollout ? element("p", { class: "small" }, words(ROLLOUT)) : null, ...figures, whole];
  },
  onkey: (key, maps) => {
    const layer = layerOf(maps);
    const [heads, queries] = layer.heads.shape;
    const wide = layer.queries?.grid[1] ?? 1;
    const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide, ArrowDown: wide };
    if (key === "[" || key === "]") state.layer = (state.layer + (key === "]" ? 1 : -1) + maps.length) % maps.length;
    else if (key === "h" || key === "H") state.head = ((state.head + 1 + (key === "h" ? 1 : heads)) % (heads + 1)) - 1;
    else if (key in moves) state.query = Math.max(0, Math.min(queries - 1, state.query + moves[key]));
    else return false;
    return true;
  },
};
