// Figures: a matrix as colours, with its scale, a readout, a table behind it, and ways to take it along.
// Every view draws through this, so that each picture can be hovered over, read as numbers and exported.
import { type Rgb, type Scale, colourOf, range, scaleOf } from "./colours.ts";
import type { NumberArray } from "./data.ts";
import { download, element, plain } from "./elements.ts";
import { npz } from "./npz.ts";
import { canvasOf } from "./picture.ts";
import { words } from "./words.ts";

export interface FigureOptions {
  /** What the numbers are, for the table, the readout and file names. */
  title: string;
  /** Names of rows and columns; numbers from 0 where they are left out. */
  rowNames?: string[];
  columnNames?: string[];
  /** A picture behind the map, and how far the map hides it, from 0 to 1. */
  picture?: HTMLCanvasElement | null;
  opacity?: number;
  /** Neighbouring colours run into each other. */
  smooth?: boolean;
  /** The scale; of the figure's own numbers where it is left out. */
  scale?: Scale;
  /** What a click on a cell does. */
  onpick?: (row: number, column: number) => void;
  /** A cell that is marked. */
  picked?: [number, number] | null;
}

const MOST_TABLE = 4096; // cells that are written as a table

function drawMap(values: ArrayLike<number>, rows: number, columns: number, scale: Scale): HTMLCanvasElement {
  const canvas = canvasOf(columns, rows);
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) image.data.set([...colourOf(scale, values[i]), 255], 4 * i);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

function scaleBar(scale: Scale): HTMLElement {
  const bar = canvasOf(scale.table.length, 1);
  const image = new ImageData(scale.table.length, 1);
  scale.table.forEach((colour: Rgb, i: number) => image.data.set([...colour, 255], 4 * i));
  bar.getContext("2d")!.putImageData(image, 0, 0);
  return element("div", { class: "scale" }, element("span", {}, plain(scale.low)), bar, element("span", {}, plain(scale.high)));
}

function table(values: ArrayLike<number>, rows: number, columns: number, options: FigureOptions): HTMLElement {
  if (rows * columns > MOST_TABLE) return element("p", {}, words("too many numbers for a table; export them"));
  const name = (names: string[] | undefined, i: number): string => names?.[i] ?? String(i);
  const head = element("tr", {}, element("td"));
  for (let c = 0; c < columns; c++) head.append(element("th", { scope: "col" }, name(options.columnNames, c)));
  const made = element("table", {}, element("caption", {}, options.title), element("thead", {}, head));
  const body = element("tbody");
  for (let r = 0; r < rows; r++) {
    const row = element("tr", {}, element("th", { scope: "row" }, name(options.rowNames, r)));
    for (let c = 0; c < columns; c++) row.append(element("td", {}, plain(values[r * columns + c])));
    body.append(row);
  }
  made.append(body);
  return element("div", { class: "table" }, made);
}

/** The picture as SVG: a rectangle for each cell. */
export function svgOf(values: ArrayLike<number>, rows: number, columns: number, scale: Scale): string {
  const cells: string[] = [];
  for (let i = 0; i < rows * columns; i++) {
    const colour = colourOf(scale, values[i]).map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
    cells.push(`<rect x="${i % columns}" y="${Math.floor(i / columns)}" width="1" height="1" fill="#${colour}"/>`);
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${columns} ${rows}" shape-rendering="crispEdges">`;
  return [head, ...cells, "</svg>", ""].join("\n");
}

function exportsOf(canvas: HTMLCanvasElement, array: NumberArray, scale: Scale, title: string): HTMLElement {
  const [rows, columns] = array.shape;
  const file = title.replace(/[^\w.-]+/g, "_");
  const png = () =>
    canvas.toBlob((blob) => {
      if (blob !== null) download(`${file}.png`, blob, "image/png");
    });
  const svg = () => download(`${file}.svg`, svgOf(array.values, rows, columns, scale), "image/svg+xml");
  const arrays = () => download(`${file}.npz`, npz([[title, array]]), "application/zip");
  return element(
    "span",
    { class: "exports" },
    element("button", { type: "button", onclick: png }, "PNG"),
    element("button", { type: "button", onclick: svg }, "SVG"),
    element("button", { type: "button", onclick: arrays }, "npz"),
  );
}

/** A matrix [rows][columns], drawn. The element's `data-values` count is what tests look for. */
export function figure(array: NumberArray, options: FigureOptions): HTMLElement {
  const [rows, columns] = array.shape;
  const scale = options.scale ?? scaleOf(range(array.values));
  const map = drawMap(array.values, rows, columns, scale);
  const zoom = Math.max(1, Math.floor(512 / Math.max(rows, columns)));
  const canvas = canvasOf(columns * zoom, rows * zoom);
  const context = canvas.getContext("2d")!;
  if (options.picture) {
    context.imageSmoothingEnabled = false;
    context.drawImage(options.picture, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = options.opacity ?? 0.6;
  }
  context.imageSmoothingEnabled = options.smooth ?? false;
  context.drawImage(map, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 1;
  if (options.picked) {
    context.lineWidth = Math.max(2, zoom / 8);
    context.strokeStyle = "#ff2d95";
    context.strokeRect(options.picked[1] * zoom, options.picked[0] * zoom, zoom, zoom);
  }
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${options.title}: ${plain(scale.low)} – ${plain(scale.high)}`);
  const readout = element("output", { class: "readout" }, "\u00a0");
  const cell = (event: PointerEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    const place = (at: number, start: number, length: number, count: number): number =>
      Math.max(0, Math.min(count - 1, Math.floor(((at - start) / length) * count)));
    return [place(event.clientY, box.top, box.height, rows), place(event.clientX, box.left, box.width, columns)];
  };
  canvas.addEventListener("pointermove", (event) => {
    const [r, c] = cell(event);
    const names = [options.rowNames?.[r] ?? r, options.columnNames?.[c] ?? c];
    readout.textContent = `(${names.join(", ")}): ${plain(array.values[r * columns + c])}`;
  });
  canvas.addEventListener("pointerleave", () => (readout.textContent = "\u00a0"));
  if (options.onpick) {
    canvas.classList.add("pickable");
    canvas.addEventListener("click", (event) => options.onpick!(...cell(event as PointerEvent)));
  }
  const details = element("details", {}, element("summary", {}, words("numbers")));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(table(array.values, rows, columns, options));
  });
  return element(
    "figure",
    { "data-title": options.title },
    element("figcaption", {}, options.title),
    canvas,
    scaleBar(scale),
    element("div", { class: "below" }, readout, exportsOf(canvas, array, scale, options.title)),
    details,
  );
}
