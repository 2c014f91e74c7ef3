// The worker: holds the compiled model and runs it, so that the page stays awake.

export interface Load {
  kind: "load";
  module: Uint8Array;
  plain: Uint8Array;
  weights: Uint8Array;
  inputs: number[]; // bytes
  outputs: number[];
  probes: Record<string, number>; // bytes, by id
}

export interface Run {
  kind: "run";
  inputs: ArrayBuffer[];
  probed: boolean; // whether maps come back
}

/** What comes back for a run, or once it is loaded. */
export interface Ran {
  outputs: ArrayBuffer[];
  probes: Record<string, ArrayBuffer>;
  milliseconds: number;
}

export type Answer = { loaded: { vectors: boolean } } | { ran: Ran } | { error: string };

interface Model {
  memory: WebAssembly.Memory;
  place(number: number): number;
  run(probed: number): number;
}

/** A function with a vector constant: whether this browser has vectors. */
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

let model: Model;
let sizes: Load;
let shown: Record<string, ArrayBuffer> = {};

const copy = (at: number, bytes: number): ArrayBuffer => model.memory.buffer.slice(at, at + bytes);

function text(at: number): string {
  const bytes = new Uint8Array(model.memory.buffer);
  return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
}

const imports = {
  maths: { ...mathematics(), fmod: (x: number, y: number) => x % y },
  page: {
    on_probe(id: number, data: number): void {
      const name = text(id);
      shown[name] = copy(data, sizes.probes[name]);
    },
  },
};

/** The functions of Math, which are not enumerable. */
function mathematics(): Record<string, (x: number, y: number) => number> {
  const entries = Object.getOwnPropertyNames(Math).map((name) => [name, Reflect.get(Math, name)]);
  return Object.fromEntries(entries.filter(([, value]) => typeof value === "function"));
}

async function load(message: Load): Promise<Answer> {
  sizes = message;
  const vectors = WebAssembly.validate(VECTORS);
  const bytes = (vectors ? message.module : message.plain) as BufferSource;
  const { instance } = await WebAssembly.instantiate(bytes, imports);
  model = instance.exports as unknown as Model;
  new Uint8Array(model.memory.buffer).set(message.weights, model.place(0));
  return { loaded: { vectors } };
}

function run(message: Run): Answer {
  message.inputs.forEach((input, i) => {
    new Uint8Array(model.memory.buffer).set(new Uint8Array(input), model.place(1 + i));
  });
  shown = {};
  const start = performance.now();
  const status = model.run(message.probed ? 1 : 0);
  const milliseconds = performance.now() - start;
  if (status !== 0) return { error: `the model refused, with status ${status}` };
  const first = 1 + sizes.inputs.length;
  return { ran: { outputs: sizes.outputs.map((size, i) => copy(model.place(first + i), size)), probes: shown, milliseconds } };
}

self.onmessage = async ({ data }: MessageEvent<Load | Run>) => {
  let answer: Answer;
  try {
    answer = data.kind === "load" ? await load(data) : run(data);
  } catch (error) {
    answer = { error: String(error) };
  }
  self.postMessage(answer);
};
