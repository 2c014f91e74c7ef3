// Checks the page's sources: their types, and the unit tests in test/.
//   node check.mjs TOOLS      TOOLS: the folder in which npm has installed what package.json lists
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const tools = path.resolve(process.argv[2]);
const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(tools, "node_modules");
const folder = mkdtempSync(path.join(os.tmpdir(), "fovea-page-"));
const { buildSync } = createRequire(path.join(tools, "/"))("esbuild");

function run(...words) {
  return spawnSync(process.execPath, words, { stdio: "inherit", env: { ...process.env, FOVEA_PAGE: here } }).status === 0;
}

try {
  const project = path.join(folder, "tsconfig.json");
  writeFileSync(
    project,
    JSON.stringify({
      extends: path.join(here, "tsconfig.json"),
      compilerOptions: {
        paths: { "*": [path.join(modules, "@types", "*"), path.join(modules, "*")] },
        typeRoots: [path.join(modules, "@types")],
        types: ["node"],
      },
      include: [path.join(here, "src"), path.join(here, "test")],
    }),
  );
  const typed = run(path.join(modules, "typescript", "bin", "tsc"), "-p", project);
  const tests = readdirSync(path.join(here, "test")).filter((name) => name.endsWith(".test.ts"));
  buildSync({
    entryPoints: tests.map((name) => path.join(here, "test", name)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    nodePaths: [modules],
  });
  const passed = run("--test", ...tests.map((name) => path.join(folder, name.replace(/\.ts$/, ".mjs"))));
  process.exitCode = typed && passed ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
