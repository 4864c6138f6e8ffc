/**
 * Checks, as part of `npm run lint`, that nothing in src/ outside of families' rooms (`src/models/families/`, the list in
 * `core/family.ts` and the registry) tells families apart: no text there is a `model_type`, or part of a weight's name.
 * Tests may.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';

const src = fileURLToPath(new URL('../src/', import.meta.url));
const LIST = 'models/core/family.ts';
const ROOMS = /^models\/(families\/|registry\.ts|core\/family\.ts)/;
const TEST = /(\.test\.tsx?|(^|\/)test-[^/]*)$/;
const WEIGHT =
  /\bvisual\.|\b(vision_tower|multi_modal_projector|language_model)\.|\b(embed_tokens|lm_head|self_attn)\b/;

const families = new Set(
  [...fs.readFileSync(path.join(src, LIST), 'utf8').matchAll(/^ {2}(\w+): \{ title/gm)].map(
    ([, name]) => name,
  ),
);
const problems = [];
if (families.size === 0)
  problems.push(`src/${LIST}: lists no families where scripts/check-families.mjs looks for them`);

for (const name of fs.readdirSync(src, { recursive: true })) {
  const file = name.replaceAll(path.sep, '/');
  if (!/\.tsx?$/.test(file) || ROOMS.test(file) || TEST.test(file)) continue;
  const text = fs.readFileSync(path.join(src, name), 'utf8');
  for (const { value, start } of texts(parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }).body)) {
    const what = families.has(value) ? 'a family' : WEIGHT.test(value) ? "a family's weights" : undefined;
    if (!what) continue;
    const line = text.slice(0, start).split('\n').length;
    problems.push(
      `src/${file}:${line}: ${JSON.stringify(value)} names ${what}; ask the ModelConfig, or move it to src/models/families/`,
    );
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`check-families: ${problems.length} against the rules`);
  process.exit(1);
}

/** Every string, regular expression and piece of a template of a syntax tree, but for what imports name. */
function* texts(node) {
  if (Array.isArray(node)) for (const item of node) yield* texts(item);
  else if (node !== null && typeof node === 'object') {
    const { type, value, regex, start } = node;
    if (type === 'Literal' && typeof value === 'string') yield { value, start };
    if (type === 'Literal' && regex) yield { value: regex.pattern.replaceAll('\\', ''), start };
    if (type === 'TemplateElement') yield { value: value.cooked ?? value.raw, start };
    for (const [key, child] of Object.entries(node)) {
      if (typeof child === 'object' && !(key === 'source' && type.startsWith('Import'))) yield* texts(child);
    }
  }
}
