/** What is told of a step that is under way: on a console, and in a file for those who watch. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { GenerationRequest, Generator, TokenEvent } from '../generate/index.js';
import { drawHere } from '../rollout/draw-here.js';
import { PartClock } from './part-clock.js';
import { Progress } from './progress.js';
import { PROGRESS_FILE, ProgressFile } from './progress-file.js';

const dir = mkdtempSync(join(tmpdir(), 'osler-progress-'));
afterAll(() => rmSync(dir, { recursive: true }));

const part = (done: number) => ({ what: 'rollout tokens', done, of: 100, about: true });
const event = (done: number) => ({ step: 3, totalSteps: 9, seconds: 75, part: part(done) });

it('the time that is left follows what was done since the part began', () => {
  const clock = new PartClock();
  expect(clock.left(1, part(20), 1000)).toBeUndefined();
  expect(clock.left(1, part(40), 3000)).toBeCloseTo(6, 12);
  // The same in another step, or again from the start, begins anew.
  expect(clock.left(1, part(0), 4000)).toBeUndefined();
  expect(clock.left(2, part(50), 5000)).toBeUndefined();
  expect(clock.left(2, part(75), 6000)).toBeCloseTo(1, 12);
});

it('a console shows it at most so often', () => {
  let text = '';
  const progress = new Progress({ live: true, write: (piece) => (text += piece) }, 1);
  progress.onProgress(event(10));
  expect(text).toBe('');
  for (const start = performance.now(); performance.now() - start < 220; );
  progress.onProgress(event(40));
  progress.onProgress(event(41));
  expect(text).toMatch(
    /^\r\S+step 3\/9 {2}rollout tokens 40 of about 100 {2}\S+ left of these {2}1m 15s in this step$/,
  );
});

it('a file has it while the step lasts, and no longer', async () => {
  const file = new ProgressFile(dir, 0);
  file.onProgress(event(10));
  file.onProgress(event(60));
  const path = join(dir, PROGRESS_FILE);
  await expect.poll(() => existsSync(path) && readFileSync(path, 'utf8')).toContain('"done":60');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
    step: 3,
    totalSteps: 9,
    of: 100,
    about: true,
  });
  await file.onStep();
  expect(existsSync(path)).toBe(false);
  // Where it cannot be written, the run goes on.
  const nowhere = new ProgressFile(join(dir, 'none'), 0);
  nowhere.onProgress(event(1));
  await nowhere.close();
});

it('tokens of rollouts are counted, and how many there will be is learned from completions that ended', async () => {
  const told: (readonly [number, number])[] = [];
  const draw = (onToken: ((event: TokenEvent) => void) | undefined, sample: number, tokens: number) => {
    for (let index = 0; index < tokens; index++) {
      const finishReason = index === tokens - 1 ? 'stop' : undefined;
      onToken?.({ sample, index, tokenId: 1, logprob: 0, text: '', finishReason } as TokenEvent);
    }
  };
  const generator = {
    submit({ onToken }: GenerationRequest) {
      draw(onToken, 0, 3);
      draw(onToken, 1, 5);
      return { completions: Promise.resolve([]), cancel: () => {} };
    },
    release: async () => {},
  } as unknown as Generator;
  const request = { ids: [1], maxNewTokens: 10, samples: 2 } as GenerationRequest;
  const { signal } = new AbortController();
  await drawHere(generator, [request, request], signal, (done, about) => told.push([done, about]));
  expect(told[0]).toEqual([1, 40]);
  expect(told[2]).toEqual([3, 12]);
  expect(told.at(-1)).toEqual([16, 16]);
});
