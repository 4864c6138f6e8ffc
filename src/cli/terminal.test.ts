/** Whatever is in files, no command sends it to a terminal as a command. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { writeCheckpoint } from '../formats/checkpoint-writer.js';
import { source } from '../formats/test-files.js';
import { data } from './data.js';
import { inspect } from './inspect.js';
import { printText } from './terminal.js';
import { runCommand } from './test-run.js';

/** The title of the window, a colour, one of both in eight bits, a bell, a line taken back, letters turned round. */
const HOSTILE = '\x1b]0;owned\x07\x1b[31m\x9b31m\x7f\rgone\u202eevil\u2066';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
const UNSAFE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
const ESCAPED = '\\u001b]0;owned\\u0007\\u001b[31m\\u009b31m\\u007f\\u000dgone\\u202eevil\\u2066';

const dir = mkdtempSync(path.join(tmpdir(), 'osler-terminal-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function questions(name: string, records: object[]): string {
  const file = path.join(dir, name);
  writeFileSync(file, records.map((record) => JSON.stringify(record)).join('\n'));
  return file;
}
const question = {
  ...{ id: 'q', image: 'a.png', question: '?', options: { A: 'x', B: 'y' }, answer: 'A' },
  ...{ modality: `${HOSTILE}\nwarning: all is well`, dataset: HOSTILE, question_type: HOSTILE },
};

it('shows escapes of tensor names and keeps a tensor in its line', async () => {
  const name = `${HOSTILE}\nw`;
  await writeCheckpoint(dir, [source(name, 'F32', [1])]);
  const { out } = await runCommand(inspect, 'inspect', dir);
  expect(out).not.toMatch(UNSAFE);
  expect(out.split('\n')[0]).toBe(`${ESCAPED}\\nw  F32  [1]  4`);
  const json = await runCommand(inspect, 'inspect', dir, '--json');
  expect(json.out).not.toMatch(UNSAFE);
  expect(JSON.parse(json.out)).toMatchObject({ tensors: [{ name }] });
});

it('shows escapes of records, good and bad', async () => {
  const file = questions('all.jsonl', [question, { ...question, answer: HOSTILE }]);
  const { out, err } = await runCommand(data, 'data', 'stats', file);
  expect(out).toContain(`${ESCAPED}\\nwarning: all is well  `);
  expect(err).toContain('1 record is left out');
  for (const text of [out, err]) expect(text).not.toMatch(UNSAFE);
});

it('shows escapes of messages, and of stacks', () => {
  mkdirSync(path.join(dir, HOSTILE.replaceAll('/', '')));
  const file = questions(path.join(HOSTILE, 'bad.jsonl'), [{ ...question, answer: HOSTILE }]);
  const main = fileURLToPath(new URL('../../scripts/osler.mjs', import.meta.url));
  const { stderr } = spawnSync(process.execPath, [main, 'data', 'stats', file, '--verbose'], {
    encoding: 'utf8',
  });
  expect(stderr).toContain('\\u001b]0;owned');
  expect(stderr).not.toMatch(UNSAFE);
});

it('prints what a model says as it is, but for a terminal', () => {
  const written: string[] = [];
  const { isTTY, write } = process.stdout;
  process.stdout.write = (text) => written.push(String(text)) > 0;
  try {
    for (const tty of [true, false]) {
      process.stdout.isTTY = tty;
      printText(`${HOSTILE}\n`);
    }
  } finally {
    Object.assign(process.stdout, { isTTY, write });
  }
  expect(written).toEqual([`${ESCAPED}\n`, `${HOSTILE}\n`]);
});
