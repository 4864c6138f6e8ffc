import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JsonLinesTail } from './json-lines-tail.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osler-tail-'));
  file = path.join(folder, 'lines.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const line = (step: number, note = '') => `${JSON.stringify({ step, note: note || `line ${step}` })}\n`;
const steps = (values: unknown[]) => values.map((value) => (value as { step: number }).step);

describe('a JSONL file that grows', () => {
  test('gives each line once, when it is complete', async () => {
    const tail = new JsonLinesTail(file);
    expect(await tail.read()).toEqual({ values: [], restarted: false });
    writeFileSync(file, line(1) + line(2).slice(0, 9));
    expect(steps((await tail.read()).values)).toEqual([1]);
    expect(tail.pending).toBe(9);
    appendFileSync(file, line(2).slice(9) + line(3));
    expect(steps((await tail.read()).values)).toEqual([2, 3]);
    expect(await tail.read()).toEqual({ values: [], restarted: false });
  });

  test('a character cut in two is whole afterwards', async () => {
    const bytes = Buffer.from(line(1, 'Röntgen – 日本'));
    const tail = new JsonLinesTail(file);
    writeFileSync(file, '');
    const got: unknown[] = [];
    for (const byte of bytes) {
      appendFileSync(file, Buffer.of(byte));
      got.push(...(await tail.read()).values);
    }
    expect(got).toEqual([{ step: 1, note: 'Röntgen – 日本' }]);
  });

  test('lines longer than the buffer, and lines that are not JSON', async () => {
    const long = 'x'.repeat(3_000_000);
    writeFileSync(file, `${line(1, long)}{broken\n\n${line(2)}`);
    const tail = new JsonLinesTail(file);
    const { values } = await tail.read();
    expect(values[0]).toEqual({ step: 1, note: long });
    expect(steps(values)).toEqual([1, 2]);
    expect(tail.bad).toBe(1);
  });

  test('a line that is too long for a record is counted and left', async () => {
    writeFileSync(file, line(1));
    const piece = Buffer.alloc(1 << 24, 'x');
    for (let i = 0; i < 5; i++) appendFileSync(file, piece);
    appendFileSync(file, `\n${line(2)}`);
    const tail = new JsonLinesTail(file);
    expect(steps((await tail.read()).values)).toEqual([1, 2]);
    expect(tail.bad).toBe(1);
  });

  test('a finished file needs no last line break', async () => {
    writeFileSync(file, line(1) + line(2).trim());
    expect(steps((await new JsonLinesTail(file).read(true)).values)).toEqual([1, 2]);
  });

  test('starts anew when a resumed run cut the file, also when it has grown past the old end since', async () => {
    writeFileSync(file, line(1) + line(2) + line(3));
    const tail = new JsonLinesTail(file);
    await tail.read();
    truncateSync(file, line(1).length);
    expect(await tail.read()).toMatchObject({ restarted: true, values: [{ step: 1 }] });
    appendFileSync(file, line(2) + line(3));
    await tail.read();
    truncateSync(file, line(1).length);
    appendFileSync(file, line(2, 'another second line') + line(3) + line(4));
    const { restarted, values } = await tail.read();
    expect(restarted).toBe(true);
    expect(steps(values)).toEqual([1, 2, 3, 4]);
  });

  test('a file that was replaced by a longer one with the same beginning goes on', async () => {
    writeFileSync(file, line(1));
    const tail = new JsonLinesTail(file);
    await tail.read();
    rmSync(file);
    writeFileSync(file, line(1) + line(2));
    expect(await tail.read()).toMatchObject({ restarted: false, values: [{ step: 2 }] });
    rmSync(file);
    expect((await tail.read()).restarted).toBe(true);
  });
});
