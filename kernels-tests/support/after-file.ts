/** What happens after each test file. */
import { afterAll } from 'vitest';
import { closeLargeDevices } from './gpu.js';

afterAll(closeLargeDevices);
