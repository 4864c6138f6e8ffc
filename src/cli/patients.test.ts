/** What DICOM files say of patients gets into nothing that commands write or print; records that do are warned of. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { markedDicom, marksIn } from '../vision/test-dicom.js';
import { data } from './data.js';
import { runCommand } from './test-run.js';

const dir = mkdtempSync(path.join(tmpdir(), 'osler-patients-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const { bytes, marks } = markedDicom();
const question = { id: 'q', question: '?', options: { A: 'x', B: 'y' }, answer: 'A' };

it('keeps the fields of DICOM files out of all that data commands write and print', async () => {
  mkdirSync(path.join(dir, 'scans'));
  writeFileSync(path.join(dir, 'scans', 'whole.dcm'), bytes);
  writeFileSync(path.join(dir, 'scans', 'damaged.dcm'), bytes.subarray(0, 700));
  const records = ['whole', 'damaged'].map((name) => ({ ...question, id: name, image: `scans/${name}.dcm` }));
  const all = path.join(dir, 'all.jsonl');
  writeFileSync(all, records.map((record) => JSON.stringify(record)).join('\n'));
  const runs = [
    ['stats', all, '--check-images'],
    ['stats', all, '--check-images', '--json'],
    ['convert', all, '--out', path.join(dir, 'out.jsonl')],
    ['convert', all, '--out', path.join(dir, 'out.parquet')],
    ['split', all, '--test-share', '0.5', '--out', dir],
  ];
  for (const words of runs) {
    const { out, err } = await runCommand(data, 'data', ...words);
    expect(marksIn(out + err, marks), words[0]).toEqual([]);
  }
  const written = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isFile());
  expect(written.length).toBeGreaterThan(3);
  for (const { name } of written)
    expect(marksIn(readFileSync(path.join(dir, name)), marks), name).toEqual([]);
});

it('warns of records that may say who patients are', async () => {
  const file = path.join(dir, 'named.jsonl');
  writeFileSync(file, JSON.stringify({ ...question, image: 'a.png', PatientName: 'x', by: 'DOE^JOHN' }));
  const { err } = await runCommand(data, 'data', 'stats', file);
  expect(err).toMatch(
    /^warning: these fields may say who patients are: PatientName \(1 record\), by \(1 record\);/,
  );
  const json = await runCommand(data, 'data', 'stats', file, '--json');
  expect(JSON.parse(json.out)).toMatchObject({ identifying: { PatientName: 1, by: 1 } });
});
