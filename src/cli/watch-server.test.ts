import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRun } from '../../bench/report-run.js';
import { bundlePage } from '../../scripts/lib/bundle-page.mjs';
import { findChromium, NO_CHROMIUM } from '../../scripts/lib/chromium.mjs';
import { LiveRun } from '../report/live-run.js';
import { isOwnHost, serveRun, type WatchServer } from './watch-server.js';

const executablePath = findChromium();

let folder: string;
let live: string;
let server: WatchServer;
const problems: string[] = [];
/** The lines of a finished run, which the tests let arrive bit by bit. */
let metrics: string[];
let completions: string[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'osler-watch-'));
  const done = path.join(folder, 'done');
  await makeRun(done, { steps: 4, prompts: 2, generations: 3, pictures: 2, side: 64 });
  const lines = (name: string) => readFileSync(path.join(done, name), 'utf8').match(/.*\n/g) as string[];
  metrics = lines('metrics.jsonl');
  completions = lines('completions.jsonl');
  live = path.join(folder, 'live');
  mkdirSync(live);
  writeFileSync(path.join(live, 'config.yaml'), readFileSync(path.join(done, 'config.yaml')));
  writeFileSync(path.join(live, 'metrics.jsonl'), metrics[0] as string);
  writeFileSync(path.join(live, 'completions.jsonl'), completions.slice(0, 6).join(''));
  // The made-up configuration names the folder of the finished run, so that its pictures are found.
  server = await serveRun(new LiveRun(live), {
    assets: await bundlePage(),
    port: 0,
    interval: 50,
    onProblem: ({ message }) => problems.push(message),
  });
});
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

function get(at: string, headers: Record<string, string> = {}): Promise<{ status: number; type: string }> {
  return new Promise((resolve, reject) => {
    request(new URL(at, server.url), { headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '' });
    })
      .on('error', reject)
      .end();
  });
}

describe('the server of osler watch', () => {
  test('answers to its own names only', async () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await get('/')).toEqual({ status: 200, type: 'text/html; charset=utf-8' });
    expect((await get('/', { host: 'evil.example' })).status).toBe(403);
    expect((await get('/events', { host: `evil.example:${new URL(server.url).port}` })).status).toBe(403);
    expect(isOwnHost('127.0.0.1:80', 8780)).toBe(false);
    expect(isOwnHost('localhost:8780', 8780)).toBe(true);
    expect(isOwnHost(undefined, 8780)).toBe(false);
  });

  test.each(['//', '//:x', '/%', '/events%', '/picture/1e9'])('is not ended by GET %s', async (at) => {
    const { port } = new URL(server.url);
    const status = await new Promise((resolve, reject) => {
      request({ port, host: '127.0.0.1', path: at }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
  });

  test('gives pictures of the run and no other file', async () => {
    expect(await get('/picture/0')).toEqual({ status: 200, type: 'image/webp' });
    for (const at of [
      '/picture/99',
      '/picture/..%2f..%2fetc%2fpasswd',
      '/config.yaml',
      '/..%2fconfig.yaml',
    ]) {
      expect((await get(at)).status, at).toBe(404);
    }
  });

  test('says when a port is taken', async () => {
    const port = Number(new URL(server.url).port);
    const second = serveRun(new LiveRun(live), { assets: { script: '', style: '' }, port });
    await expect(second).rejects.toThrow(`port ${port} is in use; choose another with --port`);
  });

  test('says when a folder is no run', async () => {
    const server = serveRun(new LiveRun(folder), { assets: { script: '', style: '' }, port: 0 });
    await expect(server).rejects.toThrow('is not the folder of a run');
  });
});

test.skipIf(executablePath === undefined)(
  `a page follows a run as it grows, is cut and grows again${executablePath ? '' : ` (${NO_CHROMIUM})`}`,
  async () => {
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(server.url);
      await page.getByText('6 completions of 2 questions').waitFor();
      await page.locator('.live.live').waitFor();
      const picture = page.locator('img.picture');
      await picture.waitFor();
      expect(
        await picture.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth),
      ).toBe(64);
      // A line that is written by half waits for its rest.
      const next = completions[6] as string;
      appendFileSync(path.join(live, 'metrics.jsonl'), metrics[1] as string);
      appendFileSync(path.join(live, 'completions.jsonl'), next.slice(0, 40));
      await page.getByText(/^2 of 4$/).waitFor();
      expect(await page.locator('.count').textContent()).toContain('6 completions of 2 questions');
      appendFileSync(
        path.join(live, 'completions.jsonl'),
        next.slice(40) + completions.slice(7, 12).join(''),
      );
      await page.getByText('12 completions of 4 questions').waitFor();
      const part = { what: 'rollout tokens', done: 300, of: 900, about: true, left: 62 };
      const progress = { step: 3, totalSteps: 4, seconds: 31, ...part };
      writeFileSync(path.join(live, 'progress.json'), JSON.stringify(progress));
      await page.getByText('Step 3 of 4: rollout tokens 300 of about 900').waitFor();
      rmSync(path.join(live, 'progress.json'));
      await page.getByText('rollout tokens').waitFor({ state: 'detached' });
      // A resumed run takes a step again.
      writeFileSync(path.join(live, 'completions.jsonl'), completions.slice(0, 6).join(''));
      await page.getByText('6 completions of 2 questions').waitFor();
      expect(complaints).toEqual([]);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);
