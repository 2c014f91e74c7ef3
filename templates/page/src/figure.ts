// Figures: a matrix as colours, with its scale, a readout, a table behind it, and ways to take it along.
// Every view draws through this, so that each picture can be hovered over, read as numbers and exported.
import { type Rgb, type Scale, colourOf, scaleOf } from "./colours.ts";
import type { NumberArray } from "./data.ts";
import { download, element, plain } from "./elements.ts";
import { npz } from "./npz.ts";
import { canvasOf } from "./picture.ts";
import { scalesOf, settings } from "./settings.ts";
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
  /** Beside the title. */
  badge?: string;
  /** Under the figure. */
  note?: string;
  /** Only the picture: for a film strip. */
  bare?: boolean;
  /** One row as bars from 0 to 1, and a second one as marks on them. */
  bars?: boolean;
  /** Rows of a certain height however many columns there are. */
  stretched?: boolean;
  /** A strip along one side covers the whole picture. */
  spread?: boolean;
  /** What a click on a cell does. */
  onpick?: (row: number, column: number) => void;
  /** A cell that is marked. */
  picked?: [number, number] | null;
}

const MOST_TABLE = 4096; // cells that are written as a table
const SIDE = 512;
const MARK = "#ff2d95"; // in none of the scales

function drawMap(values: ArrayLike<number>, rows: number, columns: number, scale: Scale): HTMLCanvasElement {
  const canvas = canvasOf(columns, rows);
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++)
    if (!Number.isNaN(values[i])) image.data.set([...colourOf(scale, values[i]), 255], 4 * i); // what is none stays clear
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

/** Pixels of a canvas: about SIDE for the longer side of a map, a whole number for each cell. */
function sizeOf(rows: number, columns: number, options: FigureOptions): [number, number] {
  if (options.bars) return [Math.max(1, Math.floor(1024 / columns)) * columns, 160];
  if (options.spread && options.picture) return [SIDE, Math.round((SIDE * options.picture.height) / options.picture.width)];
  const zoom = Math.max(1, Math.floor(SIDE / Math.max(rows, columns)));
  if (options.stretched) return [Math.max(1, Math.floor(1024 / columns)) * columns, Math.max(zoom, 24) * rows];
  return [columns * zoom, rows * zoom];
}

/** All gates have the same scale. */
const gateScale = (): Scale => ({ ...scaleOf([0, 1], settings.sequential), shared: true });

function drawBars(context: CanvasRenderingContext2D, { shape: [rows, columns], values }: NumberArray): void {
  const { width, height } = context.canvas;
  const wide = width / columns;
  const scale = gateScale();
  for (let c = 0; c < columns; c++) {
    const [r, g, b] = colourOf(scale, values[c]);
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    const high = Math.max(0, Math.min(1, values[c])) * height;
    context.fillRect(c * wide, height - high, Math.max(1, wide - 1), high);
    context.fillStyle = MARK;
    if (rows > 1) context.fillRect(c * wide, height - values[columns + c] * height - 1, Math.max(1, wide - 1), 2);
  }
}

function drawOver(context: CanvasRenderingContext2D, array: NumberArray, scale: Scale, options: FigureOptions): void {
  const { width, height } = context.canvas;
  const [rows, columns] = array.shape;
  if (options.picture) {
    context.imageSmoothingEnabled = false;
    context.drawImage(options.picture, 0, 0, width, height);
    context.globalAlpha = options.opacity ?? 0.6;
  }
  context.imageSmoothingEnabled = options.smooth ?? false;
  context.drawImage(drawMap(array.values, rows, columns, scale), 0, 0, width, height);
  context.globalAlpha = 1;
  if (!options.picked) return;
  const [wide, high] = [width / columns, height / rows];
  context.lineWidth = Math.max(2, Math.min(wide, high) / 8);
  context.strokeStyle = MARK;
  context.strokeRect(options.picked[1] * wide, options.picked[0] * high, wide, high);
}

function scaleBar(scale: Scale): HTMLElement {
  const bar = canvasOf(scale.table.length, 1);
  const image = new ImageData(scale.table.length, 1);
  scale.table.forEach((colour: Rgb, i: number) => image.data.set([...colour, 255], 4 * i));
  bar.getContext("2d")!.putImageData(image, 0, 0);
  const whose = words(scale.shared ? "shared scale" : "own scale");
  return element("div", { class: "scale" }, element("span", {}, plain(scale.low)), bar, element("span", {}, plain(scale.high)), element("span", {}, whose));
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
    if (Number.isNaN(values[i])) continue;
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

/** A matrix [rows][columns], drawn; NaN is left clear. */
export function figure(array: NumberArray, options: FigureOptions): HTMLElement {
  const [rows, columns] = array.shape;
  const scale = options.bars ? gateScale() : (options.scale ?? scalesOf([array.values])[0]);
  const canvas = canvasOf(...sizeOf(rows, columns, options));
  const context = canvas.getContext("2d")!;
  if (options.bars) drawBars(context, array);
  else drawOver(context, array, scale, options);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${options.title}: ${plain(scale.low)} – ${plain(scale.high)}`);
  if (options.bare) return canvas;
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
    { "data-title": options.title, class: options.bars || options.stretched ? "wide" : undefined },
    element("figcaption", {}, options.title, options.badge ? element("span", { class: "badge" }, options.badge) : null),
    canvas,
    scaleBar(scale),
    options.note ? element("p", { class: "small" }, options.note) : null,
    element("div", { class: "below" }, readout, exportsOf(canvas, array, scale, options.title)),
    details,
  );
}
