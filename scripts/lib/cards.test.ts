import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cardProblem, cardTable } from './cards.mjs';

const text = readFileSync(
  new URL('../../bench/results/cards/swiftshader-chromium.json', import.meta.url),
  'utf8',
);
const report = JSON.parse(text) as Record<string, unknown>;
const changed = (change: object) => cardProblem(JSON.stringify({ ...report, ...change }));

it('takes what the page makes, and says what is wrong with others', () => {
  expect(cardProblem(text)).toBeUndefined();
  expect(cardProblem('{')).toMatch(/^is no JSON/);
  expect(cardProblem('[]')).toMatch('is no file of the page');
  expect(changed({ version: 2 })).toMatch('has the version 2, and 1 is known');
  expect(changed({ complete: false })).toMatch('did not end');
  expect(changed({ tier: undefined })).toMatch('has no tier');
  expect(changed({ checks: {} })).toMatch('has checks that are no list');
  expect(changed({ roofline: { ...(report.roofline as object), f32: 0 } })).toMatch(
    'f32 is 0; measure again',
  );
});

it('draws a row for each card, in which nothing is markup', () => {
  expect(cardTable([])).toBe('Nobody has sent a card yet.\n');
  const failing = { family: 'x', passed: 3, skipped: 0, failed: [{ name: 'a', reason: 'b' }], seconds: 1 };
  const table = cardTable([
    { file: 'a.json', report },
    {
      file: 'b.json',
      report: { ...report, checks: [failing], adapter: { name: '<b>|[x](http://evil)', vendor: 'v' } },
    },
  ]);
  expect(table.split('\n').length).toBe(5);
  expect(table).toContain('google swiftshader](bench/results/cards/a.json), in software | Chrome 156 |');
  expect(table).toContain('3 pass, **1 fail**');
  expect(table).not.toMatch(/<b>|evil\)\]|http:/);
});
