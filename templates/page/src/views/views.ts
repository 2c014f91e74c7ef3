// Views: the list of all, and how they share out a run's maps.
import { element } from "../elements.ts";
import { words } from "../words.ts";
import { attention } from "./attention.ts";
import { coordinate } from "./coordinate.ts";
import { gates } from "./gates.ts";
import { others } from "./others.ts";
import { overlays } from "./overlays.ts";
import { positions } from "./positions.ts";
import type { ProbeMap, Shown, View } from "./view.ts";

/** In the order in which they stand on the page. The last one takes whatever is left. */
const VIEWS: View[] = [overlays, gates, coordinate, positions, attention, others];

function section(view: View, maps: ProbeMap[], shown: Omit<Shown, "redraw">): HTMLElement {
  const body = element("div", { class: "figures" });
  const redraw = (): void => body.replaceChildren(...view.draw(maps, { ...shown, redraw }).filter((node) => node !== null));
  const made = element("section", { id: view.name, class: "view", tabindex: view.onkey ? 0 : undefined }, element("h2", {}, words(view.title)), element("p", { class: "small" }, words(view.hint)), body);
  made.addEventListener("keydown", (event) => {
    if ((event.target as HTMLElement).matches("input, select")) return;
    if (!event.ctrlKey && !event.altKey && !event.metaKey && view.onkey?.(event.key, maps)) {
      event.preventDefault();
      redraw();
    }
  });
  redraw();
  return made;
}

/** The views that have something to show of some maps, each with what it shows. */
export function viewsOf(maps: ProbeMap[], shown: Omit<Shown, "redraw">): HTMLElement[] {
  const whole: Shown = { ...shown, redraw: () => undefined };
  const taker = maps.map((map) => VIEWS.find((view) => view.takes(map, whole)));
  return VIEWS.flatMap((view) => {
    const own = maps.filter((_, i) => taker[i] === view);
    return own.length > 0 ? [section(view, own, shown)] : [];
  });
}
