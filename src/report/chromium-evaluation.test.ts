/** The report of an evaluation in a real browser: the matrix, every answer with both readings, text that stays text. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundlePage } from '../../scripts/lib/bundle-page.mjs';
import { findChromium, NO_CHROMIUM } from '../../scripts/lib/chromium.mjs';
import { makeEvaluation } from './test-evaluation.js';
import { writeReport } from './write-report.js';

const executablePath = findChromium();

const HOSTILE = '<think>so</think></script><img src=x onerror="window.hacked=1"><answer>B) one 0</answer>';

describe.skipIf(executablePath === undefined)(
  `report.html of an evaluation${executablePath ? '' : ` (${NO_CHROMIUM})`}`,
  () => {
    let folder: string;
    let file: string;
    let browser: Browser;
    let page: Page;
    const complaints: string[] = [];
    const requests: string[] = [];
    const count = () => page.locator('.count').textContent();

    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'osler-evaluation-'));
      const out = path.join(folder, 'evals', 'base');
      mkdirSync(out, { recursive: true });
      await makeEvaluation(out, path.join(folder, 'data'), { questions: 24, firstText: HOSTILE });
      const written = await writeReport(out, { assets: await bundlePage() });
      expect(written).toMatchObject({
        completions: { shown: 24, all: 24 },
        evaluations: ['base'],
        notes: [],
      });
      expect(written.pictures).toEqual({ shown: 3, missing: 0, leftOut: 0 });
      file = written.file;
      expect(file).toBe(path.join(out, 'report.html'));
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
      page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => {
        if (!request.url().startsWith('data:')) requests.push(request.url());
      });
      await page.goto(pathToFileURL(file).href);
      await page.locator('.completion').first().waitFor();
    });
    afterAll(async () => {
      await browser?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    test('shows accuracy with intervals by modality and question type, and no curves', async () => {
      expect(await page.locator('.overline').textContent()).toBe('Evaluation report');
      expect(await page.locator('.matrix tbody tr').count()).toBe(3);
      // A third of 24 questions is right: 33%, and by Wilson 18% to 53%.
      expect(await page.locator('.matrix tr.total td.total').textContent()).toBe('33%18%–53%');
      expect(await page.locator('.facts').textContent()).toContain(
        'Right (robust reading)33.3% (18.0% to 53.3%)',
      );
      expect(await page.locator('#curves, #health').count()).toBe(0);
      expect(await page.getByLabel('Before').count()).toBe(0);
      expect(await page.locator('#config pre').textContent()).toContain('max_new_tokens: 16');
      await page.getByLabel('Answers read').selectOption('paper');
      // Med-R1's scripts want the letter alone, which the first answer is not.
      expect(await page.locator('.matrix tr.total td.total .now').textContent()).toBe('29%');
    });

    test('shows what was asked, said and read; text of a model stays text', async () => {
      const first = page.locator('.completion').first();
      expect(await page.locator('.trace-detail .meta b').textContent()).toBe('question 1');
      expect(await page.locator('.trace-detail img').count()).toBe(1);
      expect(await page.locator('.trace-detail .gold').textContent()).toContain('B');
      expect(await first.locator('.badge').textContent()).toBe('✓ right');
      expect(await first.locator('.rewards tr').allTextContents()).toEqual([
        'robust reading1B: letter and text',
        'Med-R1 reading0nothing',
      ]);
      const said = first.locator('.said');
      expect(await said.evaluate((element) => element.textContent)).toBe(HOSTILE);
      expect(await said.locator('img, script').count()).toBe(0);
      expect(await page.evaluate('window.hacked')).toBeUndefined();
    });

    test('filters by modality, question type and outcome', async () => {
      expect(await count()).toContain('24 completions of 24 questions');
      await page.getByLabel('Modality', { exact: true }).selectOption('MRI');
      expect(await count()).toContain('12 completions of 12 questions');
      await page.getByLabel('Question type', { exact: true }).selectOption('Disease Diagnosis');
      expect(await count()).toContain('6 completions of 6 questions');
      await page.getByLabel('Completion', { exact: true }).selectOption('wrong');
      expect(await count()).toContain('4 completions of 4 questions');
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByLabel('From question').fill('20');
      expect(await count()).toContain('5 completions of 5 questions');
      await page.getByRole('button', { name: 'Clear' }).click();
    });

    test('nothing was fetched, nothing was complained about, no folder of this machine is named', () => {
      expect(complaints).toEqual([]);
      expect(new Set(requests)).toEqual(new Set([pathToFileURL(file).href]));
      expect(readFileSync(file, 'utf8')).not.toContain(tmpdir());
    });
  },
);
