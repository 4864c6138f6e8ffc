/** From a run's files to what the page is given. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeRun } from '../../bench/report-run.js';
import type { RunUpdate, TraceGroup } from './model.js';
import { pageHtml } from './page-html.js';
import { RunReader } from './run-reader.js';
import { makeEvaluation } from './test-evaluation.js';
import { TraceStore } from './trace-store.js';
import { writeReport } from './write-report.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'osler-run-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const assets = { script: '', style: '' };
const updatesIn = (file: string): RunUpdate[] =>
  [...readFileSync(file, 'utf8').matchAll(/data-kind="updates">([^<]*)</g)].flatMap(([, text]) =>
    JSON.parse(gunzipSync(Buffer.from(text as string, 'base64')).toString()),
  );

describe('writing a report', () => {
  test('fits the size that was asked for: smaller pictures, fewer steps, counts of all', async () => {
    await makeRun(folder, { steps: 40, prompts: 4, generations: 4, pictures: 12, side: 256 });
    const maxBytes = 150_000;
    const written = await writeReport(folder, { assets, maxBytes });
    expect(written.bytes).toBeLessThan(maxBytes);
    expect(written.completions.all).toBe(640);
    expect(written.completions.shown).toBeLessThan(640);
    expect(written.completions.shown).toBeGreaterThan(50);
    expect(written.notes[0]).toMatch(/^\d+ of 640 completions are shown/);
    const updates = updatesIn(written.file);
    const tallies = updates.flatMap((update) => (update.kind === 'tallies' ? update.tallies : []));
    expect(tallies.reduce((sum, { n }) => sum + n, 0)).toBe(640);
    const steps = updates
      .flatMap((update) => (update.kind === 'traces' ? update.groups : []))
      .map(({ step }) => step);
    expect(Math.min(...steps)).toBe(1);
    expect(Math.max(...steps)).toBeGreaterThan(30);
  });

  test('equal pictures are stored once; missing ones and bad lines are told of', async () => {
    await makeRun(folder, { steps: 2, prompts: 2, generations: 2, pictures: 4, side: 32 });
    const images = path.join(folder, 'data', 'images');
    writeFileSync(path.join(images, '00001.jpg'), readFileSync(path.join(images, '00000.jpg')));
    rmSync(path.join(images, '00002.jpg'));
    writeFileSync(path.join(images, '00003.jpg'), 'not a picture');
    appendFileSync(path.join(folder, 'completions.jsonl'), '{"step": 3}\n{"cut": ');
    const written = await writeReport(folder, { assets });
    expect(written.pictures).toEqual({ shown: 1, missing: 2, leftOut: 0 });
    expect(written.notes).toEqual([
      '2 lines of metrics.jsonl and completions.jsonl could not be read.',
      '2 pictures were not found or could not be decoded.',
    ]);
  });

  test.skipIf(process.platform === 'win32')(
    'pictures from elsewhere stay out, however a run names them',
    async () => {
      await makeRun(folder, { steps: 1, prompts: 2, generations: 2, pictures: 4, side: 32 });
      const images = path.join(folder, 'data', 'images');
      const elsewhere = mkdtempSync(path.join(tmpdir(), 'osler-private-'));
      try {
        renameSync(path.join(images, '00000.jpg'), path.join(elsewhere, 'a.jpg'));
        renameSync(path.join(images, '00001.jpg'), path.join(elsewhere, 'b.jpg'));
        symlinkSync(path.join(elsewhere, 'b.jpg'), path.join(images, '00001.jpg'));
        const log = path.join(folder, 'completions.jsonl');
        const text = readFileSync(log, 'utf8');
        for (const name of [
          path.join(elsewhere, 'a.jpg'),
          path.relative(folder, path.join(elsewhere, 'a.jpg')),
        ]) {
          writeFileSync(log, text.replaceAll('images/00000.jpg', name));
          const guarded = await writeReport(folder, { assets, picturesWithin: [] });
          expect(guarded.pictures).toEqual({ shown: 0, missing: 2, leftOut: 0 });
          const open = await writeReport(folder, { assets, picturesWithin: [elsewhere] });
          expect(open.pictures).toEqual({ shown: 2, missing: 0, leftOut: 0 });
        }
        const none = await writeReport(folder, { assets, pictures: false });
        expect(none.pictures).toEqual({ shown: 0, missing: 0, leftOut: 0 });
        expect(readFileSync(none.file, 'utf8')).not.toContain('data:image/webp');
      } finally {
        rmSync(elsewhere, { recursive: true });
      }
    },
  );

  test('a run without completions, and a folder that is no run', async () => {
    await expect(writeReport(folder, { assets })).rejects.toThrow('is not the folder of a run');
    await expect(writeReport(path.join(folder, 'no'), { assets })).rejects.toThrow('is not a folder');
    writeFileSync(path.join(folder, 'metrics.jsonl'), '{"step": 1, "loss": 2, "note": "x"}\n');
    writeFileSync(path.join(folder, 'config.yaml'), 'model_name_or_path: /home/jo/models/qwen\n');
    const written = await writeReport(folder, { assets, out: path.join(folder, 'other.html') });
    expect(written.completions.all).toBe(0);
    const updates = updatesIn(written.file);
    expect(updates).toContainEqual({ kind: 'metrics', rows: [{ step: 1, loss: 2 }] });
    expect(JSON.stringify(updates)).toContain('…/qwen');
    expect(JSON.stringify(updates)).not.toContain('/home/jo');
  });

  test('an evaluation: questions in the place of steps, as many as fit', async () => {
    const out = path.join(folder, 'base');
    await makeEvaluation(out, path.join(folder, 'data'), { questions: 60, samples: 2, words: 400 });
    const whole = await writeReport(out, { assets });
    expect(whole).toMatchObject({ steps: 0, completions: { shown: 120, all: 120 }, notes: [] });
    const maxBytes = 110_000;
    expect(whole.bytes).toBeGreaterThan(maxBytes);
    const written = await writeReport(out, { assets, maxBytes });
    expect(written.bytes).toBeLessThan(maxBytes);
    expect(written.completions.shown).toBeGreaterThan(20);
    expect(written.notes).toEqual([
      `${written.completions.shown} of 120 completions are shown, spread over the whole; tables take in all of them.`,
    ]);
    const updates = updatesIn(written.file);
    const groups = updates.flatMap((update) => (update.kind === 'traces' ? update.groups : []));
    expect([groups[0]?.step, groups[0]?.completions.length]).toEqual([1, 2]);
    expect(Math.max(...groups.map(({ step }) => step))).toBeGreaterThan(50);
    const [evaluation] = updates.flatMap((update) =>
      update.kind === 'evaluations' ? update.evaluations : [],
    );
    expect(evaluation?.cells.reduce((sum, { n }) => sum + n, 0)).toBe(60);
    const info = updates.flatMap((update) => (update.kind === 'info' ? [update.info] : []))[0];
    expect(info?.kind).toBe('evaluation');
    expect(info?.facts).toContainEqual(['Model', '…/tiny']);
    expect(info?.provenance.map(([label]) => label)).toEqual([
      'SHA-256 of summary.json',
      'SHA-256 of predictions.jsonl',
      'Pictures of the data in this file',
    ]);
  });

  test('an evaluation with damaged files says so', async () => {
    const out = path.join(folder, 'base');
    await makeEvaluation(out, path.join(folder, 'data'), { questions: 3 });
    appendFileSync(
      path.join(out, 'predictions.jsonl'),
      '{"id":"x","sample":0,"answer":"A","correct":true,"paper_correct":true,"question":5}\n',
    );
    const { completions, notes } = await writeReport(out, { assets });
    expect(completions).toEqual({ shown: 3, all: 3 });
    expect(notes).toEqual(['1 lines of predictions.jsonl could not be read.']);
    appendFileSync(path.join(out, 'predictions.jsonl'), '{"id": ');
    await expect(writeReport(out, { assets })).rejects.toThrow('predictions.jsonl:5');
  });

  test('no text can end the block that it is in', async () => {
    const all = async (options: Parameters<typeof pageHtml>[0]) => {
      let text = '';
      for await (const piece of pageHtml(options)) text += piece;
      return text;
    };
    const title = '</title><script>alert(1)</script>&"';
    expect(await all({ title, assets })).not.toContain('<script>alert');
    await expect(all({ title, assets: { script: 'a</script>', style: '' } })).rejects.toThrow(
      'end its block',
    );
    await expect(all({ title, assets, blocks: [{ kind: 'pictures', text: '<' }] })).rejects.toThrow('"<"');
  });
});

describe('reading a run', () => {
  test('takes evaluations, the start first; a broken summary is left out', async () => {
    await makeRun(folder, { steps: 1, prompts: 1, generations: 2, pictures: 1, side: 16 });
    mkdirSync(path.join(folder, 'eval', 'broken'));
    writeFileSync(path.join(folder, 'eval', 'broken', 'summary.json'), '{"cells": [');
    const run = new RunReader(folder);
    await run.poll(true);
    expect(run.evaluations.map(({ name }) => name)).toEqual(['start', 'end']);
    expect(run.config.totalSteps).toBe(1);
  });

  test('a step that was taken again replaces the one before', async () => {
    await makeRun(folder, { steps: 2, prompts: 1, generations: 3, pictures: 1, side: 16 });
    const file = path.join(folder, 'completions.jsonl');
    const again = readFileSync(file, 'utf8').trim().split('\n').slice(3);
    appendFileSync(
      file,
      `${again.map((line) => line.replace('"correct":true', '"correct":false')).join('\n')}\n`,
    );
    const run = new RunReader(folder);
    await run.poll(true);
    expect(run.traces.groups).toHaveLength(2);
    expect(run.traces.seen).toBe(6);
    expect(run.traces.tallies.find(({ step }) => step === 2)).toMatchObject({ n: 3, correct: 0 });
  });

  test('a store that is full keeps steps spread over the run, and counts all', () => {
    const store = new TraceStore(100);
    const completions = Array.from({ length: 10 }, (_, sample) => ({
      sample,
      text: '',
      rewards: [],
      correct: true,
    }));
    for (let step = 1; step <= 64; step++) {
      const group: TraceGroup = {
        ...{
          step,
          group: 'g',
          promptId: '',
          pictures: [],
          question: '',
          options: [],
          answer: '',
          prompt: '',
        },
        completions,
      };
      store.add(group);
    }
    expect(store.held).toBeLessThanOrEqual(100);
    expect(store.groups.map(({ step }) => step)).toEqual([1, 9, 17, 25, 33, 41, 49, 57]);
    expect(store.seen).toBe(640);
    expect(store.tallies).toHaveLength(64);
  });
});
