// Inputs: what the model can be given here: bundled pictures and samples, a file, the clipboard, a drop, a camera.
import { type Details, type Manifest, bytesOf, bytesOfBase64, countOf, decodeArray, encodeNumbers } from "./data.ts";
import { element } from "./elements.ts";
import { type Picked, fitted, pictureOfTensor, tensorOf } from "./picture.ts";
import { words } from "./words.ts";

type Choose = (picked: Picked) => void;
type Complain = (error: unknown) => void;

async function pickedOf(name: string, blob: Blob, details: Details): Promise<Picked> {
  const bitmap = await createImageBitmap(blob);
  const picture = fitted(bitmap, details.picture!);
  bitmap.close();
  return { name, sample: null, inputs: [tensorOf(picture, details.picture!).buffer], picture };
}

function pickedSample(number: number, manifest: Manifest, details: Details): Picked {
  const sample = details.samples[number];
  const inputs = manifest.inputs.map(({ name }) => bytesOfBase64(sample[name].data).buffer);
  const how = details.picture;
  const picture = how && how.input in sample ? pictureOfTensor(decodeArray(sample[how.input]), how) : null;
  return { name: String(number + 1), sample: number, inputs, picture };
}

function thumbnail(name: string, face: Node | string, pick: () => void): HTMLElement {
  return element("button", { type: "button", class: "thumbnail", title: name, "data-input": name, onclick: pick }, face);
}

function samples(manifest: Manifest, details: Details, choose: Choose): HTMLElement[] {
  return details.samples.map((_, i) => {
    const face = pickedSample(i, manifest, details).picture ?? String(i + 1);
    return thumbnail(String(i + 1), face, () => choose(pickedSample(i, manifest, details)));
  });
}

function pictures(details: Details, choose: Choose, complain: Complain): HTMLElement[] {
  return details.pictures.map(({ name, type, data }) => {
    const face = element("img", { src: `data:${type};base64,${data}`, alt: name });
    const blob = new Blob([bytesOfBase64(data)], { type });
    return thumbnail(name, face, () => take(blob, name, details, choose, complain));
  });
}

async function photograph(details: Details): Promise<Picked> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  const video = element("video", { muted: true, playsinline: true });
  video.srcObject = stream;
  await video.play();
  const picture = fitted(video, details.picture!);
  for (const track of stream.getTracks()) track.stop();
  return { name: "camera", sample: null, inputs: [tensorOf(picture, details.picture!).buffer], picture };
}

function take(blob: Blob | null | undefined, name: string, details: Details, choose: Choose, complain: Complain): void {
  if (blob) pickedOf(name, blob, details).then(choose, complain);
}

/** Takes pictures that are pasted, or dropped anywhere on the page. Called once. */
export function listen(details: Details, choose: Choose, complain: Complain): void {
  if (details.picture === null || details.recorded) return;
  document.addEventListener("paste", (event) => {
    const item = [...(event.clipboardData?.items ?? [])].find(({ type }) => type.startsWith("image/"));
    take(item?.getAsFile(), "clipboard", details, choose, complain);
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const dropped = event.dataTransfer?.files[0];
    take(dropped, dropped?.name ?? "", details, choose, complain);
  });
}

/** A file or the camera. */
function own(details: Details, choose: Choose, complain: Complain): HTMLElement {
  const file = element("input", { type: "file", accept: "image/*", id: "file" });
  file.addEventListener("change", () => take(file.files?.[0], file.files?.[0]?.name ?? "", details, choose, complain));
  const photo = (): void => void photograph(details).then(choose, complain);
  return element(
    "div",
    { class: "drop" },
    element("label", { for: "file" }, words("drop, paste or choose a picture")),
    file,
    navigator.mediaDevices && element("button", { type: "button", onclick: photo }, words("camera")),
  );
}

const MOST_TYPED = 4096; // numbers that are typed into the page

/** The numbers of a text; as many as an input takes, with zeros behind them. */
export function numbersOf(text: string, name: string, count: number): number[] {
  const numbers = text.split(/[\s,;[\]]+/).filter((word) => word !== "").map(Number);
  if (numbers.some(Number.isNaN)) throw new Error(`${name}: ${words("these are not all numbers")}`);
  if (numbers.length > count) throw new Error(`${name}: ${numbers.length} > ${count}`);
  return [...numbers, ...new Array<number>(count - numbers.length).fill(0)];
}

/** Inputs as numbers to be typed in: token ids, and masks; null where there is a picture, or too much to type. */
function typed(manifest: Manifest, details: Details, choose: Choose, complain: Complain): HTMLElement | null {
  const inputs = manifest.inputs;
  if (details.picture || details.recorded || inputs.some(({ shape }) => countOf(shape) > MOST_TYPED)) return null;
  const fields = inputs.map(({ name, type, shape }) => {
    const field = element("textarea", { name, rows: 2, spellcheck: "false" });
    const title = element("label", {}, `${name}: ${type} [${shape.join(", ")}]`, field);
    return { field, title };
  });
  const run = (): void => {
    try {
      const made = inputs.map(({ name, type, shape }, i) => encodeNumbers(type, numbersOf(fields[i].field.value, name, countOf(shape))));
      choose({ name: "typed", sample: null, inputs: made, picture: null });
    } catch (error) {
      complain(error);
    }
  };
  return element("div", { class: "typed" }, ...fields.map(({ title }) => title), element("button", { type: "button", onclick: run }, words("run")));
}

/** Zeros for every input, where the page has nothing better to begin with. */
export function zeros(manifest: Manifest): Picked {
  return { name: "zeros", sample: null, inputs: manifest.inputs.map((input) => new ArrayBuffer(bytesOf(input))), picture: null };
}

/** How pictures become inputs, in words. */
export function preprocessingText(details: Details): string {
  const how = details.picture;
  if (how === null) return "";
  const numbers = (list: number[]): string => list.map((n) => Number(n.toPrecision(4))).join(", ");
  return `${how.input}: ${how.height} × ${how.width}, ${how.colour}, ${how.layout}, ${how.fit}, 0–${how.white}, − ${numbers(how.mean)}, ÷ ${numbers(how.std)}`;
}

/** The row of inputs, and the first one. */
export function inputRow(
  manifest: Manifest,
  details: Details,
  choose: Choose,
  complain: Complain,
): { row: HTMLElement; begin: () => void } {
  const offered = [...samples(manifest, details, choose), ...pictures(details, choose, complain)];
  const row = element("div", { class: "inputs" }, ...offered);
  if (details.picture && !details.recorded) row.append(own(details, choose, complain), element("p", { class: "small" }, preprocessingText(details)));
  const numbers = typed(manifest, details, choose, complain);
  if (numbers) row.append(numbers);
  const begin = (): void => {
    if (offered.length > 0) offered[0].click();
    else choose(zeros(manifest));
  };
  return { row, begin };
}
