/** Rules that every file of shaders/ keeps. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { declarations } from './defines.js';
import { directiveOf, readLines } from './source.js';

const root = join(import.meta.dirname, '..', '..', '..', 'shaders');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.wgsl'),
);

test('files are named in kebab case', () => {
  expect(files.filter((path) => !/^[a-z0-9-]+\/[a-z0-9-]+\.wgsl$/.test(path))).toEqual([]);
});

test('a file starts by saying what it is', () => {
  expect(files.filter((path) => !/^\/\/ \S/.test(read(path)))).toEqual([]);
});

test('a file declares the names that its directives use, and no others', () => {
  for (const path of files) {
    declarations(path, read);
    const text = read(path);
    for (const [, name] of text.matchAll(/^#define (\w+)/gm)) {
      expect(text.match(new RegExp(`\\b${name}\\b`, 'g'))?.length, `${name} in ${path}`).toBeGreaterThan(1);
    }
  }
});

test('a branch of #if closes the braces that it opens', () => {
  expect(files.flatMap(unbalanced)).toEqual([]);
});

/** Branches of `#if` that open and close different numbers of braces. */
function unbalanced(path: string): string[] {
  const found: string[] = [];
  const open: { origin: string; depth: number }[] = [];
  for (const line of readLines(path, read)) {
    const word = directiveOf(line)?.word ?? '';
    if (/^(elif|else|endif)$/.test(word)) {
      const branch = open.pop();
      if (branch && branch.depth !== 0) found.push(branch.origin);
    }
    if (/^(if|elif|else)$/.test(word)) open.push({ origin: line.origin, depth: 0 });
    const code = line.text.replace(/\/\/.*/, '').replace(/\$\{[^}]*\}/g, '');
    for (const branch of open) branch.depth += code.split('{').length - code.split('}').length;
  }
  return found;
}
