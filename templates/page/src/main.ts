// The page: loads the model, takes an input, runs it, and shows the outputs and a view for each kind of map.
import { type Details, type Manifest, type NumberArray, fetchBytes, readBytes, readJson } from "./data.ts";
import { download, element, plain } from "./elements.ts";
import { inputRow, listen } from "./inputs.ts";
import { npz } from "./npz.ts";
import { type Picked, canvasOf } from "./picture.ts";
import { Recording, type Result, Runner, type Source } from "./runner.ts";
import { settingsRow } from "./settings.ts";
import { type ProbeMap, mapsOf } from "./views/view.ts";
import { viewsOf } from "./views/views.ts";
import { walk } from "./walk.ts";
import { words } from "./words.ts";

const manifest = readJson<Manifest>("manifest");
const details = readJson<Details>("details");

/** The classes with the largest values, as shares by a softmax where they are no shares yet. */
export function best(output: NumberArray, labels: string[], most = 5): [string, number][] {
  const values = Array.from(output.values);
  const largest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  const isShares = values.every((value) => value >= 0) && Math.abs(values.reduce((a, b) => a + b, 0) - 1) < 1e-3;
  const shares = isShares ? values : powers.map((power) => power / sum);
  return shares
    .map((share, i): [string, number] => [labels[i] ?? String(i), share])
    .sort((a, b) => b[1] - a[1])
    .slice(0, most);
}

function outputs(result: Result): HTMLElement {
  const list = element("ol", { class: "classes" });
  const output = result.outputs[0];
  if (output !== undefined && output.shape.length === 2 && output.shape[0] === 1)
    for (const [label, share] of best(output, details.labels))
      list.append(
        element(
          "li",
          { "data-label": label },
          element("span", {}, label),
          element("meter", { min: 0, max: 1, value: share }),
          element("span", {}, `${(100 * share).toFixed(1)} %`),
        ),
      );
  return list;
}

/** What the model sees. */
function pictureOf({ name, picture }: Picked): HTMLElement[] {
  if (picture === null) return [];
  const seen = canvasOf(picture.width, picture.height);
  seen.getContext("2d")!.drawImage(picture, 0, 0);
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", name);
  return [seen];
}

interface Run {
  picked: Picked;
  result: Result;
}

/** The page's parts, written anew in another language. */
class Page {
  private status = element("p", { class: "status", role: "status" }, words("loading"));
  private result = element("section", { class: "result", "aria-live": "polite" });
  private views = element("section", { class: "views" });
  private source: Source = new Recording(manifest, details);
  private now: Run | null = null;
  private before: Run | null = null;
  private isWalking = false;

  private complain = (error: unknown): void => {
    this.status.textContent = error instanceof Error ? error.message : String(error);
    this.status.classList.add("error");
  };

  private choose = async (picked: Picked): Promise<void> => {
    try {
      this.status.classList.remove("error");
      this.status.textContent = words("running");
      const result = await this.source.run(picked);
      this.before = this.now;
      this.now = { picked, result };
      this.draw();
      document.body.dataset.input = picked.name; // what is on the page now
    } catch (error) {
      this.complain(error);
    }
  };

  private draw = (): void => {
    if (this.now === null) return;
    const { milliseconds } = this.now.result;
    this.status.textContent = `${milliseconds === null ? "" : `${milliseconds > 0 ? plain(milliseconds) : "< 1"} ms, `}${this.source.how}`;
    this.result.replaceChildren(...pictureOf(this.now.picked), outputs(this.now.result));
    const shown = { manifest, details, ...this.now, before: this.before };
    const maps = mapsOf(manifest, this.now.result);
    const draw = (some: ProbeMap[]): HTMLElement[] => viewsOf(some, shown);
    this.views.replaceChildren(...(this.isWalking ? [walk(maps, draw, this.draw)] : draw(maps)));
  };

  /** Writes the parts that do not depend on a run; returns what takes the first input. */
  private write = (): (() => void) => {
    const { row, begin } = inputRow(manifest, details, this.choose, this.complain);
    const head = element("header", {}, element("h1", {}, document.title), this.status);
    document
      .getElementById("app")!
      .replaceChildren(head, row, this.result, this.modes(), settingsRow(this.draw, this.rewrite), this.views);
    return begin;
  };

  /** Everything that the run has made, by the names that fovea diff knows. */
  private save = (): void => {
    if (this.now === null) return;
    const { outputs: made, probes } = this.now.result;
    const outputs = manifest.outputs.map(({ name }, i) => [name, made[i]] as const);
    download(`${document.title}.npz`, npz([...outputs, ...probes]), "application/zip");
  };

  /** All maps, or the guided walk; and all numbers to take along. */
  private modes(): HTMLElement {
    const made = element("nav", { class: "modes buttons" });
    for (const [isWalk, name] of [[false, "all maps"], [true, "guided walk"]] as const) {
      const pick = (): void => {
        this.isWalking = isWalk;
        this.rewrite();
      };
      made.append(element("button", { type: "button", "aria-pressed": String(isWalk === this.isWalking), onclick: pick }, words(name)));
    }
    made.append(element("button", { type: "button", class: "save", onclick: this.save }, words("save all as npz")));
    return made;
  }

  private rewrite = (): void => {
    this.write();
    this.draw();
  };

  private async load(): Promise<void> {
    const share = (name: string) => (done: number) => {
      this.status.textContent = `${words("loading")} ${name} ${Math.min(100, Math.round(100 * done))} %`;
    };
    if (details.recorded) return;
    const module = await readBytes("module", share("WebAssembly"));
    const simple = await readBytes("plain-module", share("WebAssembly"));
    const progress = share(words("weights"));
    const weights = await (details.weights ? fetchBytes(details.weights, progress) : readBytes("weights", progress));
    const runner = new Runner(manifest);
    await runner.load(module, simple, weights);
    this.source = runner;
  }

  async start(): Promise<void> {
    const begin = this.write();
    listen(details, this.choose, this.complain);
    try {
      await this.load();
      begin();
    } catch (error) {
      this.complain(error);
    }
  }
}

void new Page().start();
