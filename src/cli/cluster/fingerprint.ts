/** What results depend on beside weights and inputs. */
import type { Gpu } from '../../gpu/index.js';

/** Adapter, driver and tier; on the software driver the width of its vectors, too. Equal ones give equal bytes. */
export function fingerprintOf({ info, tier }: Gpu): string {
  const width = info.software ? [`${process.env.LP_NATIVE_VECTOR_WIDTH ?? 'default'} bits`] : [];
  return [info.name, info.driver, tier, ...width].join(', ');
}
