// What the page is given: the manifest that fovea writes beside generated code, the details, and bytes in base64.

export interface Places {
  grid: [number, number];
  prefix: number;
  suffix: number;
  window?: [number, number];
  shift?: [number, number];
}

export interface Probe extends Partial<Places> {
  id: string;
  name: string;
  family: string;
  block: string | null;
  layer: number | null;
  kind: string;
  axes: string;
  type: string;
  shape: number[];
  tensor: string;
  node: string;
  operator: string;
  queries?: Places | null;
}

export interface TensorInfo {
  name: string;
  type: string;
  shape: number[];
}

export interface Manifest {
  inputs: TensorInfo[];
  outputs: TensorInfo[];
  probes: Probe[];
  memory: { workspace_bytes: number; weights_bytes: number };
}

/** How a picture becomes an input. mean and std: one number, or one a channel. */
export interface Preprocessing {
  input: string;
  layout: "NCHW" | "NHWC";
  channels: number;
  height: number;
  width: number;
  mean: number[];
  std: number[];
  white: number;
  colour: "rgb" | "bgr" | "gray";
  fit: "crop" | "stretch";
}

export interface EncodedArray {
  type: string;
  shape: number[];
  data: string;
}

export interface Details {
  picture: Preprocessing | null;
  pictures: { name: string; type: string; data: string }[];
  labels: string[];
  samples: Record<string, EncodedArray>[];
  reference: Record<string, EncodedArray> | null;
  /** The file beside the page that holds the weights, where they are not in it. */
  weights?: string;
  /** What came out for each sample, where the page does not run the model. */
  recorded?: { outputs: Record<string, EncodedArray>; probes: Record<string, EncodedArray> }[];
}

/** An array of numbers, row-major. */
export interface NumberArray {
  shape: number[];
  values: ArrayLike<number>;
}

function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}

export function readJson<T>(id: string): T {
  return JSON.parse(textOf(id)) as T;
}

export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Decodes a part of the page a piece at a time, so that the browser can draw in between. progress: from 0 to 1. */
export async function readBytes(id: string, progress: (share: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  const text = textOf(id);
  const piece = 4 << 20; // characters, a multiple of 4
  const end = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - end);
  for (let at = 0; at < text.length; at += piece) {
    bytes.set(bytesOfBase64(text.slice(at, at + piece)), (at / 4) * 3);
    progress((at + piece) / text.length);
    await new Promise((resolve) => setTimeout(resolve));
  }
  document.getElementById(id)?.remove(); // it is large
  return bytes;
}

/** A file that lies beside the page. */
export async function fetchBytes(name: string, progress: (share: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(encodeURIComponent(name));
  if (!answer.ok || answer.body === null) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  const size = Number(answer.headers.get("content-length") ?? 0);
  const pieces: Uint8Array[] = [];
  let done = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { value } = await reader.read();
    if (value === undefined) break;
    pieces.push(value);
    done += value.length;
    progress(size > 0 ? done / size : 0);
  }
  const bytes = new Uint8Array(done);
  let place = 0;
  for (const piece of pieces) {
    bytes.set(piece, place);
    place += piece.length;
  }
  return bytes;
}

type Reader = (bytes: ArrayBuffer) => ArrayLike<number>;

function floatOfHalf(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

function floatOfBrain(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0];
}

/** Element types by their ONNX names: bytes of one, and how memory becomes numbers. */
export const TYPES: Record<string, { bytes: number; read: Reader }> = {
  float: { bytes: 4, read: (bytes) => new Float32Array(bytes) },
  double: { bytes: 8, read: (bytes) => new Float64Array(bytes) },
  float16: { bytes: 2, read: (bytes) => Float32Array.from(new Uint16Array(bytes), floatOfHalf) },
  bfloat16: { bytes: 2, read: (bytes) => Float32Array.from(new Uint16Array(bytes), floatOfBrain) },
  int8: { bytes: 1, read: (bytes) => new Int8Array(bytes) },
  uint8: { bytes: 1, read: (bytes) => new Uint8Array(bytes) },
  bool: { bytes: 1, read: (bytes) => new Uint8Array(bytes) },
  int16: { bytes: 2, read: (bytes) => new Int16Array(bytes) },
  uint16: { bytes: 2, read: (bytes) => new Uint16Array(bytes) },
  int32: { bytes: 4, read: (bytes) => new Int32Array(bytes) },
  uint32: { bytes: 4, read: (bytes) => new Uint32Array(bytes) },
  int64: { bytes: 8, read: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number) },
  uint64: { bytes: 8, read: (bytes) => Float64Array.from(new BigUint64Array(bytes), Number) },
};

/** The memory of numbers, of the types that can be typed in; the way of TYPES[type].read back. */
export function encodeNumbers(type: string, numbers: number[]): ArrayBuffer {
  const whole = (number: number): bigint => BigInt(Math.trunc(number));
  const arrays: Record<string, (list: number[]) => ArrayBuffer> = {
    float: (list) => Float32Array.from(list).buffer,
    double: (list) => Float64Array.from(list).buffer,
    int8: (list) => Int8Array.from(list).buffer,
    uint8: (list) => Uint8Array.from(list).buffer,
    bool: (list) => Uint8Array.from(list, (number) => (number ? 1 : 0)).buffer,
    int16: (list) => Int16Array.from(list).buffer,
    uint16: (list) => Uint16Array.from(list).buffer,
    int32: (list) => Int32Array.from(list).buffer,
    uint32: (list) => Uint32Array.from(list).buffer,
    int64: (list) => BigInt64Array.from(list, whole).buffer,
    uint64: (list) => BigUint64Array.from(list, whole).buffer,
  };
  if (!(type in arrays)) throw new Error(`the page cannot write elements of the type ${type}`);
  return arrays[type](numbers);
}

export const countOf = (shape: number[]): number => shape.reduce((product, size) => product * size, 1);

export function bytesOf(tensor: { type: string; shape: number[] }): number {
  const type = TYPES[tensor.type];
  if (type === undefined) throw new Error(`the page cannot read elements of the type ${tensor.type}`);
  return countOf(tensor.shape) * type.bytes;
}

export function decodeArray(array: EncodedArray): NumberArray {
  return { shape: array.shape, values: TYPES[array.type].read(bytesOfBase64(array.data).buffer) };
}
