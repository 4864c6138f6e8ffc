/** The page "This GPU": its server, and the page in Chromium. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executablePath, openBrowser, WHY_SKIPPED } from '../../kernels-tests/support/tab.js';
import { pageFiles } from '../../scripts/lib/build-page.mjs';
import { cardProblem } from '../../scripts/lib/cards.mjs';
import { type PageServer, servePage } from './page-server.js';

let server: PageServer;
beforeAll(async () => {
  server = await servePage(await pageFiles(), 0);
});
afterAll(() => server?.close());

function status(at: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    request(new URL(at, server.url), { headers, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

it('is served to this machine only, and nothing else is', async () => {
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(await status('/')).toBe(200);
  expect(await status('/worker.js?x')).toBe(200);
  expect(await status('/', { host: 'evil.example' })).toBe(403);
  expect(await status('/', {}, 'POST')).toBe(405);
  for (const at of ['/../package.json', '/fixtures', '/constructor', '/worker'])
    expect(await status(at)).toBe(404);
  const port = Number(new URL(server.url).port);
  await expect(servePage({}, port)).rejects.toThrow(`port ${port} is in use; choose another with --port`);
});

describe.skipIf(executablePath === undefined)(`in Chromium${WHY_SKIPPED}`, () => {
  it('checks and measures, and offers a file that is taken', async () => {
    const browser = await openBrowser({ webgpu: true });
    try {
      const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${server.url}?only=scatter`);
      await page.getByText('Check and measure').click();
      await page.getByText('Once more').waitFor();
      expect(await page.locator('.note').allTextContents()).toEqual([
        expect.stringContaining('Kernels run on the processor here'),
      ]);
      expect(await page.locator('#checks tbody tr').allTextContents()).toEqual([
        expect.stringMatching(/^scatter300/),
      ]);
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByText('Download JSON').click(),
      ]);
      const report = JSON.parse(readFileSync(await file.path(), 'utf8')) as { checks: object[] };
      expect(report.checks).toMatchObject([{ family: 'scatter', passed: 3, failed: [] }]);
      // A part of all is not for the table; nothing else is wrong with it.
      expect(cardProblem(JSON.stringify(report))).toMatch('did not end');
      expect(cardProblem(JSON.stringify({ ...report, complete: true }))).toBeUndefined();
      const wide = await page.evaluate('document.documentElement.scrollWidth');
      expect(wide).toBe(390);
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  it('says what to do where there is no WebGPU', async () => {
    const browser = await openBrowser({ webgpu: false });
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.getByText('Check and measure').click();
      await page.getByText('Once more').waitFor();
      expect(await page.locator('.note').allTextContents()).toEqual([
        expect.stringMatching(/^this browser (has no WebGPU|finds no GPU)/),
      ]);
    } finally {
      await browser.close();
    }
  });
});
