// Pictures: from a file, the clipboard, a camera or an input to what the model takes, and to what the page shows.
import type { NumberArray, Preprocessing } from "./data.ts";

/** An input of the model, with the picture that it was made of, if any. */
export interface Picked {
  name: string;
  /** Its number among the samples that the page was given; null: it is none of them. */
  sample: number | null;
  inputs: ArrayBuffer[];
  picture: HTMLCanvasElement | null;
}

export function canvasOf(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** Where a picture of some size is cut so that it fills another one without being distorted: x, y, width, height. */
export function middle(width: number, height: number, across: number, down: number): [number, number, number, number] {
  const scale = Math.min(width / across, height / down);
  const [w, h] = [across * scale, down * scale];
  return [(width - w) / 2, (height - h) / 2, w, h];
}

/** The picture as the model sees it. */
export function fitted(source: ImageBitmap | HTMLCanvasElement | HTMLVideoElement, how: Preprocessing): HTMLCanvasElement {
  const canvas = canvasOf(how.width, how.height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const [width, height] =
    source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
  const cut = how.fit === "crop" ? middle(width, height, how.width, how.height) : [0, 0, width, height];
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, how.width, how.height);
  context.drawImage(source, cut[0], cut[1], cut[2], cut[3], 0, 0, how.width, how.height);
  return canvas;
}

/** What a pixel is for each channel, from 0 to 255. Gray is luma as ITU-R BT.601 weighs it. */
function channelsOf(pixels: Uint8ClampedArray, at: number, colour: Preprocessing["colour"]): number[] {
  const [red, green, blue] = [pixels[at], pixels[at + 1], pixels[at + 2]];
  if (colour === "gray") return [0.299 * red + 0.587 * green + 0.114 * blue];
  return colour === "bgr" ? [blue, green, red] : [red, green, blue];
}

/** The input that pixels (RGBA) make: (value / 255 * white - mean) / std. */
export function tensorOfPixels(pixels: Uint8ClampedArray, how: Preprocessing): Float32Array<ArrayBuffer> {
  const places = how.width * how.height;
  const tensor = new Float32Array(how.channels * places);
  for (let place = 0; place < places; place++) {
    const values = channelsOf(pixels, 4 * place, how.colour);
    for (let c = 0; c < how.channels; c++) {
      const mean = how.mean[c % how.mean.length];
      const std = how.std[c % how.std.length];
      const at = how.layout === "NCHW" ? c * places + place : place * how.channels + c;
      tensor[at] = ((values[c % values.length] / 255) * how.white - mean) / std;
    }
  }
  return tensor;
}

export function tensorOf(canvas: HTMLCanvasElement, how: Preprocessing): Float32Array<ArrayBuffer> {
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, how.width, how.height);
  return tensorOfPixels(data, how);
}

/** The pixels that an input shows: the way of tensorOfPixels() back. */
export function pixelsOfTensor(tensor: ArrayLike<number>, how: Preprocessing): Uint8ClampedArray<ArrayBuffer> {
  const places = how.width * how.height;
  const pixels = new Uint8ClampedArray(4 * places);
  const order = how.colour === "bgr" ? [2, 1, 0] : [0, 1, 2];
  for (let place = 0; place < places; place++) {
    for (let colour = 0; colour < 3; colour++) {
      const c = how.channels === 1 ? 0 : order[colour];
      const value = tensor[how.layout === "NCHW" ? c * places + place : place * how.channels + c];
      const plain = value * how.std[c % how.std.length] + how.mean[c % how.mean.length];
      pixels[4 * place + colour] = (plain / how.white) * 255;
    }
    pixels[4 * place + 3] = 255;
  }
  return pixels;
}

export function pictureOfTensor(array: NumberArray, how: Preprocessing): HTMLCanvasElement {
  const canvas = canvasOf(how.width, how.height);
  canvas.getContext("2d")!.putImageData(new ImageData(pixelsOfTensor(array.values, how), how.width, how.height), 0, 0);
  return canvas;
}
