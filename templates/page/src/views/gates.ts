// Gates of channels: a factor for each, as bars that can be sorted, and all layers as one heat map.
import { range, scaleOf } from "../colours.ts";
import type { NumberArray } from "../data.ts";
import { element, plain } from "../elements.ts";
import { figure } from "../figure.ts";
import { arrayOf, at, channelOf, shares, stacked } from "../maps.ts";
import { scalesOf, settings } from "../settings.ts";
import { words } from "../words.ts";
import { type ProbeMap, type Shown, type View, badgeOf } from "./view.ts";

/** Below and above these a gate counts as closed and as open. */
const CLOSED = 0.1;
const OPEN = 0.9;

type Order = "channel" | "gate" | "change";
const state = { chosen: 0, order: "channel" as Order, channel: -1 };

/** The map that a block's gates are for, where fovea has opened it. */
const INPUT = "x";

/** The gates of the first of the batch. */
const gatesOf = (map: NumberArray): ArrayLike<number> => at({ shape: [map.shape[0], map.values.length / map.shape[0]], values: map.values }, 0).values;

function sorted(gates: ArrayLike<number>, before: ArrayLike<number> | null): number[] {
  const order = Array.from(gates, (_, i) => i);
  if (state.order === "gate") order.sort((a, b) => gates[b] - gates[a]);
  if (state.order === "change" && before) order.sort((a, b) => Math.abs(gates[b] - before[b]) - Math.abs(gates[a] - before[a]));
  return order;
}

function orderButtons(shown: Shown): HTMLElement {
  const orders: Order[] = shown.before ? ["channel", "gate", "change"] : ["channel", "gate"];
  const made = element("span", { class: "buttons", role: "group", "aria-label": words("order") });
  for (const order of orders) {
    const pick = (): void => {
      state.order = order;
      shown.redraw();
    };
    made.append(element("button", { type: "button", "aria-pressed": String(order === state.order), onclick: pick }, words(`by ${order}`)));
  }
  return made;
}

/** Bars, and, where there was another input before, a mark at what the gate was then. */
function bars({ probe, map }: ProbeMap, shown: Shown, canPick: boolean): HTMLElement {
  const gates = gatesOf(map);
  const earlier = shown.before?.result.probes.get(probe.id);
  const before = earlier ? gatesOf(earlier) : null;
  const order = sorted(gates, before);
  const rows = before ? [order.map((c) => gates[c]), order.map((c) => before[c])] : [order.map((c) => gates[c])];
  const [closed, open] = shares(gates, CLOSED, OPEN);
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  return figure(stacked(rows), {
    title: probe.id,
    badge: badgeOf({ probe, map }, shown),
    rowNames: before ? [shown.picked.name, shown.before!.picked.name] : [shown.picked.name],
    columnNames: order.map(String),
    bars: true,
    onpick: canPick
      ? (_, c) => {
          state.channel = order[c];
          shown.redraw();
        }
      : undefined,
    note: `${words("closed")} (< ${plain(CLOSED)}): ${percent(closed)}, ${words("open")} (> ${plain(OPEN)}): ${percent(open)}`,
  });
}

/** The chosen channel of the block's map, before and after its gate. */
function channelPair({ probe, map }: ProbeMap, input: ProbeMap | undefined): HTMLElement | null {
  const gates = gatesOf(map);
  if (input === undefined || state.channel < 0 || state.channel >= gates.length) return null;
  const before = channelOf(input.map, state.channel, gates.length);
  if (before === null) return null;
  const gate = gates[state.channel];
  const after = arrayOf(before.shape, (i) => before.values[i] * gate);
  const title = `${words("channel")} ${state.channel}`;
  const both = range([...range(before.values), ...range(after.values)]);
  const scale = { ...scaleOf(both, settings.sequential, settings.diverging), shared: true };
  const draw = (array: NumberArray, when: string): HTMLElement =>
    figure(array, { title: `${probe.block ?? probe.id} · ${title}, ${words(when)}`, scale, smooth: settings.smooth });
  return element("div", { class: "pair" }, draw(before, "before"), element("p", { class: "times" }, `× ${plain(gate)} =`), draw(after, "after"));
}

export const gates: View = {
  name: "gates",
  title: "Which channels: gates",
  hint: "A bar is the factor by which a channel is multiplied; pink marks are those of the input before. Where the map that a gate is for is in the page, a click on a bar shows its channel.",
  takes: ({ probe, map }) =>
    (probe.kind === "channel" && map.values.length > 0 && probe.axes.startsWith("N C")) || probe.name === INPUT,
  draw: (all, shown) => {
    const maps = all.filter(({ probe }) => probe.name !== INPUT);
    if (maps.length === 0) return [];
    state.chosen = Math.min(state.chosen, maps.length - 1);
    const chosen = maps[state.chosen];
    const input = all.find(({ probe }) => probe.name === INPUT && probe.block === chosen.probe.block);
    const rows = stacked(maps.map(({ map }) => gatesOf(map)));
    const pick = (layer: number): void => {
      state.chosen = layer;
      shown.redraw();
    };
    const overview = figure(rows, {
      title: words("all layers"),
      rowNames: maps.map(({ probe }) => probe.id),
      scale: scalesOf([rows.values])[0],
      onpick: pick,
      stretched: true,
    });
    return [
      orderButtons(shown),
      bars(chosen, shown, input !== undefined),
      maps.length > 1 ? overview : null,
      channelPair(chosen, input),
    ];
  },
  onkey: (key, all) => {
    const maps = all.filter(({ probe }) => probe.name !== INPUT);
    if (key !== "[" && key !== "]") return false;
    state.chosen = (state.chosen + (key === "]" ? 1 : -1) + maps.length) % maps.length;
    return true;
  },
};
