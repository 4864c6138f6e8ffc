import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['kernels-tests/**/*.test.ts', 'src/**/*.test.ts'],
    // One thread and no isolation: all files share one GPU device and its pipeline cache. On the software
    // driver compiling a pipeline costs more than most tests do.
    pool: 'threads',
    maxWorkers: 1,
    isolate: false,
    // The first use of a kernel compiles it: up to seconds on a slow machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
  },
});
