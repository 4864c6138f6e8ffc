/**
 * Mutated inputs for every dataset reader, 10 MB each by default: a reader may refuse what it is given, but must not crash,
 * hang, or yield a sample that breaks its promises.
 *
 *     node bench/fuzz-readers.mjs [--megabytes 10] [--seed 1]
 */
import { parseArgs } from 'node:util';
import { createJiti } from 'jiti';

const { values } = parseArgs({
  options: { megabytes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const jiti = createJiti(import.meta.url, { fsCache: false });
await jiti.import('../src/platform/node/install.ts');
const { fuzzReader, READER_SEEDS } = await jiti.import('../src/data/test-fuzz.ts');

for (const name of Object.keys(READER_SEEDS)) {
  const start = performance.now();
  const bytes = Number(values.megabytes) * 2 ** 20;
  const { inputs, samples, problems, slowest } = await fuzzReader(name, { bytes, seed: Number(values.seed) });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${name}: ${inputs} files in ${seconds} s, ${samples} samples, ${problems} problems, slowest file ${slowest.toFixed(0)} ms`,
  );
}
