import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { OSLER_VERSION } from './version.js';

it('the version in the code is that of the package', () => {
  const file = new URL('../../package.json', import.meta.url);
  expect(OSLER_VERSION).toBe((JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version);
});
