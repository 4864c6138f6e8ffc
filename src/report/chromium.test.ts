/** The report in a real browser: it draws, filters work, text of a model stays text, nothing is fetched. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRun } from '../../bench/report-run.js';
import { bundlePage } from '../../scripts/lib/bundle-page.mjs';
import { findChromium, NO_CHROMIUM } from '../../scripts/lib/chromium.mjs';
import { writeReport } from './write-report.js';

const executablePath = findChromium();

const HOSTILE =
  '<think>first\nthen</think></script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>' +
  '<!--\u202Eevil\u0000 <answer> A </answer> zyzzyva';

describe.skipIf(executablePath === undefined)(
  `report.html${executablePath ? '' : ` (${NO_CHROMIUM})`}`,
  () => {
    let folder: string;
    let file: string;
    let browser: Browser;
    let page: Page;
    const complaints: string[] = [];
    const requests: string[] = [];

    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'osler-report-'));
      const shape = { steps: 12, prompts: 4, generations: 4, pictures: 6, side: 96, firstText: HOSTILE };
      await makeRun(folder, shape);
      const written = await writeReport(folder, { assets: await bundlePage() });
      expect(written).toMatchObject({ steps: 12, completions: { shown: 192, all: 192 }, notes: [] });
      expect(written.pictures).toEqual({ shown: 6, missing: 0, leftOut: 0 });
      file = written.file;
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
      page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      watch(page);
      await page.goto(pathToFileURL(file).href);
      await page.locator('.completion').first().waitFor();
    });
    afterAll(async () => {
      await browser?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    function watch(target: Page): void {
      target.on('console', (message) => complaints.push(message.text()));
      target.on('pageerror', (error) => complaints.push(error.message));
      target.on('request', (request) => {
        if (!request.url().startsWith('data:')) requests.push(request.url());
      });
    }
    const count = () => page.locator('.count').textContent();

    test('shows curves, the matrix before and after, health and configuration', async () => {
      const titles = await page.locator('.chart h3').allTextContents();
      const expected = [
        'Reward',
        'Accuracy',
        'KL from the reference',
        'Entropy',
        'Completion length',
        'Time by phase',
      ];
      expect(titles).toEqual(expect.arrayContaining(expected));
      expect(await page.locator('.chart canvas').count()).toBe(titles.length);
      expect(await page.locator('.matrix tbody tr').count()).toBe(9);
      const cell = await page.locator('.matrix tr.total td.total').textContent();
      expect(cell).toMatch(/^\d+%\d+% [+−]\d+$/);
      expect(await page.locator('.health li.good').count()).toBeGreaterThan(2);
      expect(await page.locator('#config pre').textContent()).toContain('num_generations: 4');
      // A chart that drew nothing would be of one colour.
      const colours = await page
        .locator('.chart canvas')
        .first()
        .evaluate((canvas) => {
          const { width, height } = canvas as unknown as { width: number; height: number };
          const context = (
            canvas as unknown as {
              getContext(kind: '2d'): { getImageData(...box: number[]): { data: Uint8ClampedArray } };
            }
          ).getContext('2d');
          return new Set(new Uint32Array(context.getImageData(0, 0, width, height).data.buffer)).size;
        });
      expect(colours).toBeGreaterThan(10);
    });

    test('text of a model stays text', async () => {
      const said = page.locator('.completion').first().locator('.said');
      expect(await said.evaluate((element) => element.textContent)).toBe(HOSTILE);
      expect(await said.locator('img, script').count()).toBe(0);
      expect(await page.evaluate('window.hacked')).toBeUndefined();
      expect(await page.locator('.completion').first().locator('.answer').textContent()).toBe(' A ');
    });

    test('filters leave what was asked for, and the search finds words', async () => {
      expect(await count()).toContain('192 completions of 48 questions');
      await page.getByLabel('Modality', { exact: true }).selectOption('CT');
      expect(await page.locator('.trace-row .meta').allTextContents()).toSatisfy((rows: string[]) =>
        rows.every((row) => row.includes('CT')),
      );
      expect(await count()).toContain('24 completions of 6 questions');
      await page.getByLabel('Completion', { exact: true }).selectOption('wrong');
      expect(await page.locator('.completion .badge.right').count()).toBe(0);
      expect(await page.locator('.completion .badge.wrong').count()).toBeGreaterThan(0);
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByLabel('From step').fill('3');
      await page.getByLabel('To step').fill('4');
      expect(await count()).toContain('32 completions of 8 questions');
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByLabel('Words').fill('ZYZZYVA');
      await page.locator('.said mark').waitFor();
      expect(await count()).toContain('1 completion of 1 question');
      await page.getByLabel('Words').fill('no such word');
      await page.getByText('No completion is like that').waitFor();
      await page.getByRole('button', { name: 'Clear' }).click();
    });

    test('keys walk through questions and completions', async () => {
      const chosen = () => page.locator('.trace-row[aria-selected=true]').evaluate((row) => row.textContent);
      const first = await chosen();
      await page.keyboard.press('j');
      expect(await chosen()).not.toBe(first);
      await page.keyboard.press('k');
      expect(await chosen()).toBe(first);
      await page.keyboard.press('n');
      await page.keyboard.press('n');
      expect(await page.locator('.completion[aria-current=true]').getAttribute('data-sample')).toBe('1');
      await page.keyboard.press('/');
      await page.keyboard.type('jk');
      expect(await page.getByLabel('Words').inputValue()).toBe('jk');
      await page.getByRole('button', { name: 'Clear' }).click();
    });

    test('a cell of the matrix leads to its traces', async () => {
      await page.locator('.matrix tbody tr').nth(1).locator('button').last().click();
      expect(await page.locator('.cell-note h3').textContent()).toBe('MRI, all question types');
      await page.getByRole('button', { name: 'Show its traces' }).click();
      expect(await count()).toContain('of 6 questions');
      await page.getByRole('button', { name: 'Clear' }).click();
    });

    test('fits a phone, in the dark as well', async () => {
      const context = await browser.newContext({
        viewport: { width: 390, height: 844 },
        colorScheme: 'dark',
      });
      const phone = await context.newPage();
      watch(phone);
      await phone.goto(pathToFileURL(file).href);
      await phone.locator('.completion').first().waitFor();
      expect(await phone.evaluate('document.documentElement.scrollWidth')).toBe(390);
      const paper = await phone
        .locator('body')
        .evaluate((body) => body.ownerDocument.defaultView?.getComputedStyle(body).backgroundColor);
      expect(paper).toBe('rgb(18, 22, 26)');
      await context.close();
    });

    test('nothing was fetched, nothing was complained about, no folder of this machine is named', () => {
      expect(complaints).toEqual([]);
      expect(new Set(requests)).toEqual(new Set([pathToFileURL(file).href]));
      const html = readFileSync(file, 'utf8');
      expect(html).not.toContain(folder);
      expect(html).not.toContain(tmpdir());
      expect(html).toContain("default-src 'none'");
    });
  },
);
