import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { cacheFolder } from './paths.js';

it('chooses the cache folder', () => {
  expect(cacheFolder({ OSLER_CACHE: 'c', XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe(resolve('c'));
  expect(cacheFolder({ XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe(join('/x', 'osler'));
  expect(cacheFolder({ XDG_CACHE_HOME: 'relative', HOME: '/h' })).toBe(join('/h', '.cache', 'osler'));
  expect(cacheFolder({})).toBe(join(homedir(), '.cache', 'osler'));
});
