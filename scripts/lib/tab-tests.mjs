/** Has rolldown bundle files of kernels-tests/ for a tab: vitest, devices and fixtures are those of page/harness/. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const harness = (name) => path.join(root, 'page', 'harness', name);
/** Engine files as benchmarks name them. */
const ENGINE = /^#osler\/(.*)\.js$/;

export const tabTests = {
  name: 'tab-tests',
  resolveId(specifier, importer) {
    if (specifier === 'vitest') return harness('vitest.ts');
    const engine = ENGINE.exec(specifier);
    if (engine) return path.join(root, 'src', `${engine[1]}.ts`);
    if (!importer?.includes(`${path.sep}kernels-tests${path.sep}`)) return null;
    if (specifier.endsWith('support/gpu.js')) return harness('gpu.ts');
    return specifier.endsWith('support/fixture.js') ? harness('fixture.ts') : null;
  },
};
