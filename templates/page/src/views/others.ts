// Whatever no other view knows: a matrix, its last dimension across.
import { figure } from "../figure.ts";
import { matrixOf } from "../maps.ts";
import { scalesOf, settings } from "../settings.ts";
import { type View, badgeOf } from "./view.ts";

export const others: View = {
  name: "others",
  title: "Further maps",
  hint: "What no other view knows, as it lies in memory: the last dimension across.",
  takes: () => true,
  draw: (maps, shown) => {
    const scales = scalesOf(maps.map(({ map }) => map.values));
    return maps.map(({ probe, map }, i) =>
      figure(matrixOf(map), {
        title: probe.id,
        badge: badgeOf({ probe, map }, shown),
        scale: scales[i],
        smooth: settings.smooth,
        note: `${probe.axes} ${map.shape.join(" × ")}`.trim(),
      }),
    );
  },
};
