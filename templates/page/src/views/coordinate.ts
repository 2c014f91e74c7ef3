// Coordinate attention: a gate for each row and one for each column of a channel, as strips at two sides of the picture.
import type { NumberArray } from "../data.ts";
import { element } from "../elements.ts";
import { figure } from "../figure.ts";
import { at, matrixOf, over, transposed } from "../maps.ts";
import { scalesOf, settings } from "../settings.ts";
import { words } from "../words.ts";
import type { ProbeMap, View } from "./view.ts";

const AXES = ["N C H 1", "N C 1 W"];

/** The mean over the channels, and each channel: [C, places]. */
const byChannel = ({ map }: ProbeMap): NumberArray => {
  const first = at(map, 0);
  return { shape: [first.shape[0], first.shape[1] * first.shape[2]], values: first.values };
};

export const coordinate: View = {
  name: "coordinate",
  title: "Rows and columns: coordinate attention",
  hint: "A gate for each row and one for each column of each channel. Left: their mean over the channels, over the picture. Right: every channel's.",
  takes: ({ probe }) => AXES.includes(probe.axes),
  draw: (maps, { picked }) => {
    const all = maps.map(byChannel);
    const means = all.map((channels) => over(channels, "mean"));
    const scales = scalesOf(all.map(({ values }) => values));
    const meanScales = scalesOf(means.map(({ values }) => values));
    return maps.map((one, i) => {
      const [channels, mean] = [all[i], means[i]];
      const isRows = one.probe.axes === AXES[0];
      const length = mean.shape[0];
      const strip = { shape: isRows ? [length, 1] : [1, length], values: mean.values };
      return element(
        "div",
        { class: "pair" },
        figure(strip, {
          title: `${one.probe.id}: ${words("mean over the channels")}`,
          picture: picked.picture,
          opacity: settings.opacity,
          smooth: settings.smooth,
          scale: meanScales[i],
          spread: true,
        }),
        figure(isRows ? transposed(channels) : matrixOf(channels), { title: `${one.probe.id}: ${words("each channel")}`, scale: scales[i] }),
      );
    });
  },
};
