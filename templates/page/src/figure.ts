// Figures: a matrix as colours, with its scale, a readout, a table behind it, and ways to take it along.
// Every view draws through this, so that each picture can be hovered over, read as numbers and exported.
import { type Rgb, type Scale, colourOf, range, scaleOf } from "./colours.ts";
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
const MOST_SIDE = 8192; // of a map that is drawn: browsers have limits of about twice that
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

/** Gates have the same scale everywhere, from 0 to 1; terms that are added, which are no gates, one of their own. */
function barScale(values: ArrayLike<number>): Scale {
  const [low, high] = range(values);
  const isGate = low >= 0 && high <= 1;
  return { ...scaleOf(isGate ? [0, 1] : [Math.min(low, 0), high], settings.sequential, settings.diverging), shared: isGate };
}

/** Bars from 0 up or down. */
function drawBars(context: CanvasRenderingContext2D, { shape: [rows, columns], values }: NumberArray, scale: Scale): void {
  const { width, height } = context.canvas;
  const wide = width / columns;
  const place = (value: number): number => height * (1 - (value - scale.low) / (scale.high - scale.low));
  for (let c = 0; c < columns; c++) {
    const [r, g, b] = colourOf(scale, values[c]);
    context.fillStyle = `rgb(${r} ${g} ${b})`;
    const [from, to] = [place(0), place(values[c])];
    context.fillRect(c * wide, Math.min(from, to), Math.max(1, wide - 1), Math.abs(to - from));
    context.fillStyle = MARK;
    if (rows > 1) context.fillRect(c * wide, Math.min(height - 2, place(values[columns + c])), Math.max(1, wide - 1), 2);
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

/** The colours of a scale, side by side. */
function bar(scale: Scale): HTMLCanvasElement {
  const canvas = canvasOf(scale.table.length, 1);
  const image = new ImageData(scale.table.length, 1);
  scale.table.forEach((colour: Rgb, i: number) => image.data.set([...colour, 255], 4 * i));
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

function scaleBar(scale: Scale): HTMLElement {
  const whose = words(scale.shared ? "shared scale" : "own scale");
  const [low, high] = [element("span", {}, plain(scale.low)), element("span", {}, plain(scale.high))];
  return element("div", { class: "scale" }, low, bar(scale), high, element("span", {}, whose));
}

/** A figure to take along: with its title, its scale and what that goes from and to. */
function framed(canvas: HTMLCanvasElement, scale: Scale, title: string): HTMLCanvasElement {
  const line = 28;
  const made = canvasOf(Math.max(canvas.width, 320), canvas.height + 2 * line);
  const context = made.getContext("2d")!;
  context.fillStyle = "white";
  context.fillRect(0, 0, made.width, made.height);
  context.drawImage(canvas, 0, line);
  context.imageSmoothingEnabled = false;
  context.fillStyle = "black";
  context.font = "14px sans-serif";
  context.textBaseline = "middle";
  context.fillText(title, 4, line / 2, made.width - 8);
  const middle = canvas.height + 1.5 * line;
  context.fillText(plain(scale.low), 4, middle, 76);
  context.drawImage(bar(scale), 84, middle - 6, made.width - 168, 12);
  context.textAlign = "right";
  context.fillText(plain(scale.high), made.width - 4, middle, 76);
  return made;
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
export function svgOf({ shape: [rows, columns], values }: NumberArray, scale: Scale, title: string): string {
  const cells: string[] = [];
  for (let i = 0; i < rows * columns; i++) {
    if (Number.isNaN(values[i])) continue;
    const colour = colourOf(scale, values[i]).map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
    cells.push(`<rect x="${i % columns}" y="${Math.floor(i / columns)}" width="1" height="1" fill="#${colour}"/>`);
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${columns} ${rows}" shape-rendering="crispEdges">`;
  const text = `${title}: ${plain(scale.low)} – ${plain(scale.high)}`.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return [head, `<title>${text}</title>`, ...cells, "</svg>", ""].join("\n");
}

function exportsOf(canvas: HTMLCanvasElement, array: NumberArray, scale: Scale, title: string): HTMLElement {
  const file = title.replace(/[^\w.-]+/g, "_");
  const png = () =>
    framed(canvas, scale, title).toBlob((blob) => {
      if (blob !== null) download(`${file}.png`, blob, "image/png");
    });
  const svg = () => download(`${file}.svg`, svgOf(array, scale, title), "image/svg+xml");
  const arrays = () => download(`${file}.npz`, npz([[title, array]]), "application/zip");
  return element(
    "span",
    { class: "exports" },
    element("button", { type: "button", onclick: png }, "PNG"),
    element("button", { type: "button", onclick: svg }, "SVG"),
    element("button", { type: "button", onclick: arrays }, "npz"),
  );
}

/** How a figure is laid out beside others: as wide as the page, or no higher than a screen. */
function shapeOf(canvas: HTMLCanvasElement, options: FigureOptions): "wide" | "tall" | undefined {
  if (options.bars || options.stretched) return "wide";
  return canvas.height > 1.5 * canvas.width ? "tall" : undefined;
}

/** A matrix [rows][columns], drawn; NaN is left clear. */
export function figure(array: NumberArray, options: FigureOptions): HTMLElement {
  const [rows, columns] = array.shape;
  const title = element("figcaption", {}, options.title, options.badge ? element("span", { class: "badge" }, options.badge) : null);
  if (rows > MOST_SIDE || columns > MOST_SIDE)
    return element("figure", {}, title, element("p", {}, `${rows} × ${columns}: ${words("too large to be drawn; save all as npz")}`));
  const scale = options.bars ? barScale(array.values) : (options.scale ?? scalesOf([array.values])[0]);
  const canvas = canvasOf(...sizeOf(rows, columns, options));
  const context = canvas.getContext("2d")!;
  if (options.bars) drawBars(context, array, scale);
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
    { "data-title": options.title, class: shapeOf(canvas, options) },
    title,
    canvas,
    scaleBar(scale),
    options.note ? element("p", { class: "small" }, options.note) : null,
    element("div", { class: "below" }, readout, exportsOf(canvas, array, scale, options.title)),
    details,
  );
}
