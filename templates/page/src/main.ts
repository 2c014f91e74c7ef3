// The page: loads the model, takes an input, runs it, and shows the outputs and a view for each kind of map.
import { type Details, type Manifest, type NumberArray, readBytes, readJson } from "./data.ts";
import { element, plain } from "./elements.ts";
import { inputRow } from "./inputs.ts";
import type { Picked } from "./picture.ts";
import { type Result, Runner } from "./runner.ts";
import { viewsOf } from "./views/views.ts";
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

async function start(): Promise<void> {
  const status = element("p", { class: "status", role: "status" }, words("loading"));
  const shown = element("section", { class: "result" });
  const views = element("section", { class: "views" });
  const app = document.getElementById("app")!;
  const title = element("h1", {}, document.title);
  app.replaceChildren(element("header", {}, title, status));
  const complain = (error: unknown): void => {
    status.textContent = String(error instanceof Error ? error.message : error);
    status.classList.add("error");
  };
  const runner = new Runner(manifest);
  const choose = async (picked: Picked): Promise<void> => {
    try {
      const result = await runner.run(picked.inputs);
      status.classList.remove("error");
      status.textContent = `${plain(result.milliseconds)} ms, ${runner.vectors ? "SIMD128" : words("without vectors")}`;
      shown.replaceChildren(outputs(result));
      views.replaceChildren(...viewsOf({ manifest, details, picked, result }));
      document.body.dataset.input = picked.name; // what is on the page now
    } catch (error) {
      complain(error);
    }
  };
  const { row, begin } = inputRow(manifest, details, choose, complain);
  app.append(row, shown, views);
  try {
    const share = (name: string) => (done: number) => {
      status.textContent = `${words("loading")} ${name} ${Math.min(100, Math.round(100 * done))} %`;
    };
    const module = await readBytes("module", share("WebAssembly"));
    const simple = await readBytes("plain-module", share("WebAssembly"));
    await runner.load(module, simple, await readBytes("weights", share(words("weights"))));
    begin();
  } catch (error) {
    complain(error);
  }
}

void start();
