// Settings: what the reader has chosen for all pictures, and the row in which that is done.
import { DIVERGING, SEQUENTIAL, type Scale, range, scaleOf } from "./colours.ts";
import { element } from "./elements.ts";
import { currentLanguage, speak, words } from "./words.ts";

export const settings = {
  sequential: "viridis",
  diverging: "red-blue",
  shared: false, // one scale for all pictures of a view
  smooth: false,
  opacity: 0.6,
};

/** The scales of pictures that stand together: one for each, or one for all of them. */
export function scalesOf(pictures: ArrayLike<number>[]): Scale[] {
  const ranges = pictures.map(range);
  const all: [number, number] = [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  return ranges.map((own) => ({
    ...scaleOf(settings.shared ? all : own, settings.sequential, settings.diverging),
    shared: settings.shared && pictures.length > 1,
  }));
}

function choice(name: string, names: string[], key: "sequential" | "diverging", redraw: () => void): HTMLElement {
  const select = element("select", { name: key });
  for (const option of names) select.append(element("option", { value: option, selected: option === settings[key] }, option));
  select.addEventListener("change", () => {
    settings[key] = select.value;
    redraw();
  });
  return element("label", {}, words(name), " ", select);
}

function box(name: string, key: "shared" | "smooth", redraw: () => void): HTMLElement {
  const input = element("input", { type: "checkbox", name: key, checked: settings[key] });
  input.addEventListener("change", () => {
    settings[key] = input.checked;
    redraw();
  });
  return element("label", {}, input, " ", words(name));
}

function slider(name: string, redraw: () => void): HTMLElement {
  const input = element("input", { type: "range", name: "opacity", min: 0, max: 1, step: 0.05, value: settings.opacity });
  input.addEventListener("input", () => {
    settings.opacity = Number(input.value);
    redraw();
  });
  return element("label", {}, words(name), " ", input);
}

/** redraw: draws all views anew; rewrite: the whole page, in another language. */
export function settingsRow(redraw: () => void, rewrite: () => void): HTMLElement {
  const language = element("button", { type: "button", class: "language" }, currentLanguage() === "en" ? "中文" : "English");
  language.addEventListener("click", () => {
    speak(currentLanguage() === "en" ? "zh" : "en");
    rewrite();
  });
  return element(
    "div",
    { class: "settings" },
    choice("colours", Object.keys(SEQUENTIAL), "sequential", redraw),
    choice("signed", Object.keys(DIVERGING), "diverging", redraw),
    box("one scale for all", "shared", redraw),
    box("smooth", "smooth", redraw),
    slider("opacity", redraw),
    language,
  );
}
