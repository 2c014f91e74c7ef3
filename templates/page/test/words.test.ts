// Every word that the page says has its Chinese.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { CHINESE } from "../src/words.ts";

const sources = path.join(process.env.FOVEA_PAGE!, "src");

test("all words are translated", () => {
  const files = readdirSync(sources, { recursive: true }).map(String).filter((name) => name.endsWith(".ts"));
  const said = files.flatMap((name) => {
    const text = readFileSync(path.join(sources, name), "utf8");
    return [...text.matchAll(/\bwords\("([^"]+)"\)|"((?:own|shared) scale)"|^  (?:title|hint): "([^"]+)",$/gm)].map(([, word, scale, title]) => word ?? scale ?? title);
  });
  assert.ok(said.length > 40);
  assert.deepEqual(said.filter((word) => !(word in CHINESE)), []);
});
