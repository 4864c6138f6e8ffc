/** The command line of a checkout, as a process: where paths are, and how it ends. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dir = mkdtempSync(path.join(tmpdir(), 'osler-main-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** As npm starts it for a user who is in `from`. */
function osler(words: string, from = root) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join('scripts', 'osler.mjs'), ...words.split(' ')],
    { cwd: root, encoding: 'utf8', env: { ...process.env, INIT_CWD: from } },
  );
  return { status, stdout, stderr };
}

it('takes paths from where the user is', () => {
  const question = { id: 'q', image: 'a.png', question: '?', options: { A: 'x', B: 'y' }, answer: 'A' };
  writeFileSync(path.join(dir, 'questions.jsonl'), JSON.stringify(question));
  const { status, stdout } = osler('data stats questions.jsonl', dir);
  expect(stdout).toContain('questions by number of options: 1 with 2');
  expect(status).toBe(0);
});

it.each([
  ['bogus', /^osler: "bogus" is not a command; `osler --help` lists them\n$/],
  ['data stats nowhere.jsonl', /^osler: nowhere\.jsonl does not exist\n$/],
  ['bench --filter nothing', /^osler: no kernel benchmark contains "nothing"; run without --filter/],
])('osler %s is bad input', (words, message) => {
  const { status, stderr } = osler(words);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});
