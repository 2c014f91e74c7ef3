// Builds the page: one HTML file with its script, its worker and its style in it, under a policy that lets just these run.
//   node build.mjs TOOLS PAGE.html      TOOLS: the folder in which npm has installed what package.json lists
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const [tools, target] = process.argv.slice(2).map((argument) => path.resolve(argument));
const here = path.dirname(fileURLToPath(import.meta.url));
const { buildSync } = createRequire(path.join(tools, "/"))("esbuild");

const packages = new Set(); // whose code is in the bundles

function bundle(entry, define = {}) {
  const { outputFiles, metafile } = buildSync({
    entryPoints: [path.join(here, entry)],
    bundle: true,
    minify: true,
    write: false,
    charset: "utf8",
    format: entry.endsWith(".css") ? undefined : "iife",
    target: ["chrome100", "firefox100", "safari15"],
    nodePaths: [path.join(tools, "node_modules")],
    define,
    metafile: true,
  });
  for (const input of Object.keys(metafile.inputs)) {
    const [, name] = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/) ?? [];
    if (name !== undefined) packages.add(name);
  }
  return outputFiles[0].text.trim();
}

/** The licences of what is in the page go along with it. */
function licences() {
  const texts = [...packages].sort().map((name) => {
    const folder = path.join(tools, "node_modules", name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no licence`);
    return `${name}:\n${readFileSync(path.join(folder, file), "utf8").trim()}`;
  });
  return texts.join("\n\n").replaceAll("--", "- -");
}

const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;
const worker = bundle("src/worker.ts");
const parts = {
  STYLE: bundle("style.css"),
  SCRIPT: bundle("src/main.ts", { WORKER_SOURCE: JSON.stringify(worker) }),
};
parts.POLICY = [
  "default-src 'none'",
  `script-src ${hash(parts.SCRIPT)} 'wasm-unsafe-eval'`,
  `style-src ${hash(parts.STYLE)}`,
  "worker-src blob:",
  "img-src data: blob:",
  "media-src blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "connect-src @@SOURCES@@",
].join("; ");
parts.LICENCES = licences();
const skeleton = readFileSync(path.join(here, "page.html"), "utf8");
writeFileSync(target, skeleton.replace(/@@(STYLE|SCRIPT|POLICY|LICENCES)@@/g, (_, name) => parts[name]));
