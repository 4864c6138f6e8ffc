import { expect, it } from 'vitest';
import { isProtected } from './protected.js';

it.each(['https://hub.org', 'http://localhost:8000/v1', 'http://127.0.0.2', 'http://[::1]:1'])(
  'may tell %s secrets',
  (url) => expect(isProtected(url)).toBe(true),
);

it.each([
  'http://hub.org',
  'http://localhost.hub.org',
  'http://127.0.0.1.hub.org',
  'http://10.0.0.1',
  'http://[::2]',
])('may not tell %s secrets', (url) => expect(isProtected(url)).toBe(false));
