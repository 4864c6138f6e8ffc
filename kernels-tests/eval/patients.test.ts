/** What a DICOM file says of its patient gets into no evaluation and no report. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { evaluate } from '../../src/cli/eval.js';
import { report } from '../../src/cli/report.js';
import { runCommand } from '../../src/cli/test-run.js';
import { initModel } from '../../src/models/index.js';
import { markedDicom, marksIn } from '../../src/vision/test-dicom.js';

const dir = mkdtempSync(path.join(tmpdir(), 'osler-patients-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('keeps the fields of DICOM files out of evaluations and their reports', async () => {
  const { bytes, marks } = markedDicom();
  const folder = path.join(dir, 'data');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'scan.dcm'), bytes);
  const questions = ['a', 'b'].map((id) => ({
    ...{ id, image: 'scan.dcm', question: `Which is ${id}?`, options: { A: 'a', B: 'b' }, answer: 'A' },
  }));
  writeFileSync(
    path.join(folder, 'q.jsonl'),
    questions.map((question) => JSON.stringify(question)).join('\n'),
  );
  await initModel(path.join(dir, 'model'), { arch: 'tiny-qwen2-vl', seed: 0 });
  const out = path.join(dir, 'out');
  const words = ['--model', path.join(dir, 'model'), '--data', path.join(folder, 'q.jsonl'), '--out', out];
  const printed = [
    await runCommand(evaluate, 'eval', ...words, '--max-new-tokens', '3'),
    await runCommand(report, 'report', out),
  ];
  for (const { out: text, err } of printed) expect(marksIn(text + err, marks)).toEqual([]);
  const written = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(written.map(({ name }) => name).join()).toContain('.html');
  for (const { parentPath, name } of written) {
    expect(marksIn(readFileSync(path.join(parentPath, name)), marks), name).toEqual([]);
  }
});
