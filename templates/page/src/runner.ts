// The page's side of the worker: one question at a time, answered by a promise.
import { type Details, type Manifest, type NumberArray, TYPES, bytesOf, decodeArray } from "./data.ts";
import type { Picked } from "./picture.ts";
import { words } from "./words.ts";
import type { Answer, Load, Run } from "./worker.ts";

declare const WORKER_SOURCE: string;

export interface Result {
  outputs: NumberArray[];
  probes: Map<string, NumberArray>; // in the order of execution
  milliseconds: number | null; // null: it was recorded
}

/** What gives results: the model itself, or a recording of it. */
export interface Source {
  /** How results come about, in words. */
  readonly how: string;
  run(picked: Picked): Promise<Result>;
}

export class Runner implements Source {
  private vectors = false;
  private worker = new Worker(URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" })));
  private last: Promise<unknown> = Promise.resolve();

  constructor(private manifest: Manifest) {}

  private ask(question: Load | Run): Promise<Answer> {
    const answer = this.last.then(
      () =>
        new Promise<Answer>((resolve, reject) => {
          this.worker.onmessage = ({ data }: MessageEvent<Answer>) =>
            "error" in data ? reject(new Error(data.error)) : resolve(data);
          this.worker.onerror = (event) => reject(new Error(event.message));
          this.worker.postMessage(question);
        }),
    );
    this.last = answer.catch(() => undefined);
    return answer;
  }

  async load(module: Uint8Array, plain: Uint8Array, weights: Uint8Array): Promise<void> {
    const { inputs, outputs, probes } = this.manifest;
    const answer = await this.ask({
      kind: "load",
      module,
      plain,
      weights,
      inputs: inputs.map(bytesOf),
      outputs: outputs.map(bytesOf),
      probes: Object.fromEntries(probes.map((probe) => [probe.id, bytesOf(probe)])),
    });
    if ("loaded" in answer) this.vectors = answer.loaded.vectors;
  }

  get how(): string {
    return `WebAssembly, ${this.vectors ? "SIMD128" : words("without vectors")}`;
  }

  async run({ inputs }: Picked, probed = true): Promise<Result> {
    const answer = await this.ask({ kind: "run", inputs, probed });
    if (!("ran" in answer)) throw new Error("the worker gave another answer");
    const { outputs, probes, milliseconds } = answer.ran;
    const read = (info: { type: string; shape: number[] }, bytes: ArrayBuffer): NumberArray => ({
      shape: info.shape,
      values: TYPES[info.type].read(bytes),
    });
    const maps = this.manifest.probes.filter(({ id }) => id in probes).map((p) => [p.id, read(p, probes[p.id])] as const);
    return { outputs: this.manifest.outputs.map((info, i) => read(info, outputs[i])), probes: new Map(maps), milliseconds };
  }
}

/** Results that were made when the page was written. */
export class Recording implements Source {
  get how(): string {
    return words("a recording: the model itself is not in this page");
  }

  constructor(
    private manifest: Manifest,
    private details: Details,
  ) {}

  run({ sample }: Picked): Promise<Result> {
    const recorded = sample === null ? undefined : this.details.recorded?.[sample];
    if (recorded === undefined) return Promise.reject(new Error(words("this page has recordings of its samples alone")));
    const outputs = this.manifest.outputs.map(({ name }) => decodeArray(recorded.outputs[name]));
    const probes = this.manifest.probes
      .filter(({ id }) => id in recorded.probes)
      .map(({ id }) => [id, decodeArray(recorded.probes[id])] as const);
    return Promise.resolve({ outputs, probes: new Map(probes), milliseconds: null });
  }
}
