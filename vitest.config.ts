import { existsSync } from 'node:fs';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './scripts/lib/tally-reporter.mjs';

// Under the launcher's private C library, `process.execPath` is put right by a preloaded file; vitest starts its worker with
// options of its own, so that it must be told.
const preload = path.join(process.execPath, '..', '..', 'exec-path.cjs');

// `npm test` counts results by itself, whatever reporters are asked for.
const tally = process.env.OSLER_TEST_TALLY;

export default defineConfig({
  plugins: tally
    ? [
        {
          name: 'tally',
          configureVitest: ({ vitest }) => void vitest.config.reporters.push(new TallyReporter(tally)),
        },
      ]
    : [],
  // Benchmarks name the engine as they do once built; tests run its sources.
  resolve: {
    alias: [{ find: /^#osler\/(.*)\.js$/, replacement: path.join(import.meta.dirname, 'src', '$1.ts') }],
  },
  test: {
    include: [
      'kernels-tests/**/*.test.ts',
      'src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'bench/instrument/*.test.ts',
    ],
    setupFiles: ['src/platform/node/install.ts', 'kernels-tests/support/after-file.ts'],
    // One thread and no isolation: all files share one GPU device and its pipeline cache. On the software
    // driver compiling a pipeline costs more than most tests do.
    pool: 'threads',
    maxWorkers: 1,
    isolate: false,
    execArgv: existsSync(preload) ? ['--require', preload] : [],
    // For what hangs, not for what is slow: the first use of a kernel compiles it, and the machine may have other work.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    teardownTimeout: 10_000,
  },
});
